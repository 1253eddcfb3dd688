// Package started implements vault-env --started, which the kubelet executes in a container as its startup probe: a
// container counts as started when its program runs, not when vault-env does. So a rolling update waits for the secrets.
package started

import (
	"strings"

	"vaultinjection.dev/vault-env/internal/procfs"
)

// Option is the command line of the probe, after the executable.
const Option = "--started"

// ProgramRuns returns whether vault-env has started the program of the container in which process self is: no process of
// the container is vault-env any more, or one is and has a child (daemon mode). The other containers of a pod that shares
// its process namespace do not count. There the probe outlives vault-env that has given up for a moment: a container
// without any other process has ended, and does not run its program. It returns true if it cannot tell: the kubelet kills
// a container whose probe keeps failing.
//
// executable is the path of vault-env as the container's command names it, and the command line of self begins with it.
func ProgramRuns(proc procfs.Dir, self int, executable string) bool {
	container := proc.Cgroup(self)
	waiting := map[int]bool{}
	parents := map[int]bool{}
	hasNeighbours, isAlive := false, false
	for _, pid := range proc.Processes() {
		if pid == self {
			continue
		}
		if !belongs(proc.Cgroup(pid), container) {
			hasNeighbours = true
			continue
		}
		arguments := proc.Arguments(pid)
		isAlive = isAlive || len(arguments) > 0 && !isProbe(arguments, executable)
		if isVaultEnv(arguments, executable) {
			waiting[pid] = true
		} else if parent, known := proc.Parent(pid); known {
			parents[parent] = true
		}
	}
	for pid := range waiting {
		if !parents[pid] {
			return false
		}
	}
	return isAlive || !hasNeighbours
}

// belongs returns whether a process is in the container's control groups, in every hierarchy (cgroups(7)), or below them:
// an init system makes some for its services.
func belongs(cgroups, container string) bool {
	if cgroups == container {
		return true
	}
	theirs, own := strings.Split(cgroups, "\n"), strings.Split(container, "\n")
	if len(theirs) != len(own) {
		return false
	}
	for i, line := range own {
		below := strings.TrimSuffix(line, "/") + "/"
		if theirs[i] != line && (!strings.HasPrefix(theirs[i], below) || strings.HasPrefix(theirs[i], below+"../")) {
			return false
		}
	}
	return true
}

// isVaultEnv returns whether a command line is that of vault-env in front of a program; a probe is in front of none.
func isVaultEnv(arguments []string, executable string) bool {
	return len(arguments) > 0 && arguments[0] == executable && !isProbe(arguments, executable)
}

func isProbe(arguments []string, executable string) bool {
	return len(arguments) > 1 && arguments[0] == executable && arguments[1] == Option
}
