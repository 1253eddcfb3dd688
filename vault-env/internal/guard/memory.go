// Package guard keeps other processes away from what vault-env holds while it resolves: from its memory, and, where the
// policy wants that, from resolving again by means of kubectl exec.
package guard

import "syscall"

// ConcealMemory keeps this process's memory out of core dumps and from the other processes of its user: /proc/PID/mem,
// ptrace. The kernel undoes it when the process becomes the program (execve gives it a new address space), so that the
// program can be debugged as ever. Where it does not work, for a seccomp profile forbids it, nothing else suffers.
func ConcealMemory() {
	const prSetDumpable = 4 // prctl(2), PR_SET_DUMPABLE
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0)
}
