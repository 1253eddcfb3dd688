// Package procfs reads what the kernel says about processes. What cannot be read is empty: a process may end at any
// moment, or belong to somebody else.
package procfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dir is where a procfs is mounted, such as /proc.
type Dir string

// Processes returns the IDs of all processes that can be seen.
func (d Dir) Processes() []int {
	entries, _ := os.ReadDir(string(d))
	var ids []int
	for _, entry := range entries {
		if id, err := strconv.Atoi(entry.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Cgroup returns the control groups of a process, as the kernel writes them. The processes of a container share one.
func (d Dir) Cgroup(pid int) string { return d.read(pid, "cgroup") }

// Arguments returns the command line of a process; nil if it cannot be read, or if the process has ended.
func (d Dir) Arguments(pid int) []string {
	line := d.read(pid, "cmdline")
	if line == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(line, "\x00"), "\x00")
}

// Parent returns the ID of the parent of a process (field 4 of proc_pid_stat(5)), 0 if it is in another namespace.
func (d Dir) Parent(pid int) (int, bool) {
	const parentAfterName = 1
	parent, known := d.stat(pid, parentAfterName)
	return int(parent), known
}

// Started returns when a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)).
func (d Dir) Started(pid int) (uint64, bool) {
	const startTimeAfterName = 19
	return d.stat(pid, startTimeAfterName)
}

// stat returns a field of proc_pid_stat(5) by its number after the name, which may contain spaces and parentheses.
func (d Dir) stat(pid, number int) (uint64, bool) {
	stat := d.read(pid, "stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= number {
		return 0, false
	}
	value, err := strconv.ParseUint(fields[number], 10, 64)
	return value, err == nil
}

func (d Dir) read(pid int, file string) string {
	content, _ := os.ReadFile(filepath.Join(string(d), strconv.Itoa(pid), file))
	return string(content)
}
