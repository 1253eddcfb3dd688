package signals

import (
	"os/signal"
	"syscall"
	"unsafe"
)

const lastSignal = 64

// in returns whether a set, in which bit N-1 stands for signal N, contains a signal.
func in(set uint64, s syscall.Signal) bool { return set>>(s-1)&1 == 1 }

// StayIgnored makes Go ignore the signals of a set, which were ignored when the process started. Go itself leaves only
// SIGHUP and SIGINT as they were.
//
// SIGURG is how Go interrupts its own threads, and SIGCHLD reports the child of daemon mode: Ignore is for them.
func StayIgnored(set uint64) {
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if in(set, s) && s != syscall.SIGURG && s != syscall.SIGCHLD {
			signal.Ignore(s)
		}
	}
}

// Ignore makes the kernel ignore the signals of a set, whatever Go needs them for: the next program inherits it. It is
// for the last moment before execve, which resets every other signal to its default.
func Ignore(set uint64) {
	const ignore = 1 // SIG_IGN
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if in(set, s) {
			action := [8]uintptr{ignore} // struct sigaction of the kernel begins with the handler
			const sizeOfSet = 8
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, sizeOfSet, 0, 0)
		}
	}
}
