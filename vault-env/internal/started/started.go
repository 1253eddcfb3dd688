// Package started implements vault-env --started, which the kubelet executes in a container as its startup probe: a
// container counts as started when its program runs, not when vault-env does. So a rolling update waits for the secrets.
package started

import "vaultinjection.dev/vault-env/internal/procfs"

// Option is the command line of the probe, after the executable.
const Option = "--started"

// ProgramRuns returns whether vault-env has started the program of the container in which process self is: no process of
// the container is vault-env any more, or one is and has a child (daemon mode). The other containers of a pod that shares
// its process namespace do not count. It returns true if it cannot tell: the kubelet kills a container whose probe keeps
// failing.
//
// executable is the path of vault-env as the container's command names it, and the command line of self begins with it.
func ProgramRuns(proc procfs.Dir, self int, executable string) bool {
	container := proc.Cgroup(self)
	waiting := map[int]bool{}
	parents := map[int]bool{}
	for _, pid := range proc.Processes() {
		if pid == self || proc.Cgroup(pid) != container {
			continue
		}
		if isVaultEnv(proc.Arguments(pid), executable) {
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
	return true
}

// isVaultEnv returns whether a command line is that of vault-env in front of a program; a probe is in front of none.
func isVaultEnv(arguments []string, executable string) bool {
	if len(arguments) == 0 || arguments[0] != executable {
		return false
	}
	return len(arguments) < 2 || arguments[1] != Option
}
