package signals

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Package os/signal takes two more threads, and four switches between them for each signal: half a millisecond of each
// start. So the signals of a start have a handler of their own (caught_linux_*.s), which notes the first one in received,
// and adds 1 to the counter wakeup, which a goroutine waits for as for a connection. It runs on Go's stack for signals,
// touches nothing else of Go's, and changes nothing of what Go does with all other signals.

// received is the first signal that the handler was called for, 0 before. The handler writes it.
var received int32

// wakeup is the file descriptor of the counter. It is never closed, as a handler may be just about to write to it; the
// program does not inherit it.
var wakeup int32

// handler returns the address of the handler, and of the code that the kernel returns to after it, 0 if it has its own.
func handler() (handle, restore uintptr)

// action is the kernel's struct sigaction.
type action struct {
	handler, flags, restorer uintptr
	mask                     uint64 // signals that wait while the handler runs
}

const (
	useOtherStack = 0x08000000 // SA_ONSTACK
	restartCalls  = 0x10000000 // SA_RESTART
	hasRestorer   = 0x04000000 // SA_RESTORER
)

// catch sets the handler for a signal, and returns what was there.
func catch(s syscall.Signal) action {
	handle, restore := handler()
	ours := action{handler: handle, flags: useOtherStack | restartCalls, mask: ^uint64(0)}
	if restore != 0 {
		ours.flags |= hasRestorer
		ours.restorer = restore
	}
	var before action
	setAction(s, &ours, &before)
	return before
}

// setAction cannot fail for a signal that exists and can be handled.
func setAction(s syscall.Signal, now, before *action) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(before)), unsafe.Sizeof(now.mask), 0, 0)
}

// newWakeup forgets what was received, and returns the counter, to be read from.
func newWakeup() (*os.File, error) {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("eventfd2", errno)
	}
	atomic.StoreInt32(&wakeup, int32(fd))
	atomic.StoreInt32(&received, 0)
	return os.NewFile(fd, "signals"), nil
}
