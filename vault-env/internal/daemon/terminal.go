package daemon

import (
	"os/signal"
	"syscall"
	"unsafe"
)

// terminal is the controlling terminal. Its keys are for the program: the program's process group gets the foreground,
// and with it what is typed and the signals of the keyboard.
type terminal struct {
	fd    int
	owner int // vault-env's own process group
}

// controllingTerminal returns the terminal of standard input, output or error, nil where they are something else.
func controllingTerminal() *terminal {
	for fd := range 3 {
		if _, ok := foreground(fd); ok {
			return &terminal{fd, syscall.Getpgrp()}
		}
	}
	return nil
}

// alone returns whether nobody else seems to use the terminal. Where standard input or output is a pipe, that may be
// one to a pager, which needs the foreground: there the program gets it only when it wants it.
func (t *terminal) alone() bool {
	if t == nil {
		return false
	}
	_, in := foreground(0)
	_, out := foreground(1)
	return in && out
}

// foreground returns the process group in the foreground of the terminal at fd, false if it is not this session's.
func foreground(fd int) (int, bool) {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return int(group), errno == 0
}

// give hands the foreground to the program's group, if it is vault-env's to give, and returns whether the program has
// it.
func (t *terminal) give(group int) bool {
	if t == nil {
		return false
	}
	now, ok := foreground(t.fd)
	if ok && now == t.owner {
		t.hand(group)
		return true
	}
	return ok && now == group
}

// hand hands it over, whoever has it.
func (t *terminal) hand(group int) {
	if t == nil {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // else a process of the background would be stopped for this
	g := int32(group)
	// Where it fails the terminal is gone.
	syscall.Syscall(syscall.SYS_IOCTL, uintptr(t.fd), syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&g)))
}

// take takes it back, if the program's group still has it.
func (t *terminal) take(group int) {
	if t == nil {
		return
	}
	if now, ok := foreground(t.fd); ok && now == group {
		t.hand(t.owner)
	}
}
