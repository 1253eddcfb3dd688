// Package guard protects secrets from other processes while vault-env resolves them: it conceals vault-env's memory
// and, if the policy asks for it, detects a process that kubectl exec started.
package guard

import "syscall"

// ConcealMemory keeps this process's memory out of core dumps and away from other processes of the same user
// (/proc/PID/mem, ptrace). The kernel undoes it when the process becomes the program (execve creates a new address
// space), so that the program can be debugged as usual. If it fails because a seccomp profile forbids it, nothing else
// is affected.
func ConcealMemory() {
	const prSetDumpable = 4 // prctl(2), PR_SET_DUMPABLE
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0)
}
