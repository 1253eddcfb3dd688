package guard

import "vaultinjection.dev/vault-env/internal/procfs"

// StartedBefore returns whether another process of the same container is older than process pid: then pid is not the
// container's own command, but was started in the container later, for example by kubectl exec. This guards against
// accidents only: anyone who can start processes in the container can read the secrets in other ways. StartedBefore
// returns false if it cannot tell: a program that does not start would be worse.
func StartedBefore(proc procfs.Dir, pid int) bool {
	if pid == 1 {
		return false
	}
	container := proc.Cgroup(pid)
	since, known := proc.Started(pid)
	if container == "" || !known {
		return false
	}
	for _, other := range proc.Processes() {
		if other == pid || proc.Cgroup(other) != container {
			continue
		}
		if start, known := proc.Started(other); known && (start < since || start == since && other < pid) {
			return true
		}
	}
	return false
}
