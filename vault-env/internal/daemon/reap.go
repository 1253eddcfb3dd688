package daemon

import (
	"syscall"

	"vaultinjection.dev/vault-env/internal/signals"
)

// becomeReaper makes this process the parent of all orphans among its descendants. Process 1 of a container is that
// already, but vault-env is not process 1 if the pod's containers share a process namespace.
func becomeReaper() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)
	if _, _, errno := syscall.Syscall6(syscall.SYS_PRCTL, setChildSubreaper, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// reap reaps every child that has ended, including orphans, so that none stays a zombie. It returns the program's last
// status, and whether it changed: it has stopped, or it has ended.
func reap(program int) (status syscall.WaitStatus, changed bool) {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG|syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil || pid <= 0:
			return status, changed
		case pid == program:
			status, changed = s, true
			if hasEnded(s) { // its process ID may be reused from now on
				return status, changed
			}
		}
	}
}

func hasEnded(s syscall.WaitStatus) bool { return s.Exited() || s.Signaled() }

// exitStatus returns the program's exit status, or the one that a shell reports for the signal that ended it.
func exitStatus(s syscall.WaitStatus) int {
	if s.Signaled() {
		return signals.Status(s.Signal())
	}
	return s.ExitStatus()
}
