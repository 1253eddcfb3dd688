package guard

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// StartedBefore returns whether another process of the same container is older than process pid: then pid is not the
// container's own command, but was started in the container later, for example by kubectl exec. The processes of a
// container share one cgroup. This guards against accidents only: anyone who can start processes in the container can
// read the secrets in other ways. StartedBefore returns false if it cannot tell: a program that does not start would be
// worse.
func StartedBefore(procfs string, pid int) bool {
	if pid == 1 {
		return false
	}
	container := cgroup(procfs, pid)
	since, known := startTime(procfs, pid)
	entries, err := os.ReadDir(procfs)
	if container == "" || !known || err != nil {
		return false
	}
	for _, entry := range entries {
		other, err := strconv.Atoi(entry.Name())
		if err != nil || other == pid || cgroup(procfs, other) != container {
			continue
		}
		if start, known := startTime(procfs, other); known && (start < since || start == since && other < pid) {
			return true
		}
	}
	return false
}

func cgroup(procfs string, pid int) string {
	content, _ := os.ReadFile(filepath.Join(procfs, strconv.Itoa(pid), "cgroup"))
	return string(content)
}

// startTime returns when a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)).
func startTime(procfs string, pid int) (uint64, bool) {
	content, _ := os.ReadFile(filepath.Join(procfs, strconv.Itoa(pid), "stat"))
	stat := string(content)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // a name may contain spaces and parentheses
	const startTimeAfterName = 19
	if len(fields) <= startTimeAfterName {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[startTimeAfterName], 10, 64)
	return ticks, err == nil
}
