package daemon

import (
	"os/signal"
	"syscall"
	"unsafe"
)

// terminal is the controlling terminal. The program's process group gets the foreground, and with it the keyboard input
// and the keyboard's signals.
type terminal struct {
	fd    int
	owner int // vault-env's own process group
}

// controllingTerminal returns the terminal of standard input, output or error, or nil if none of them is a terminal.
func controllingTerminal() *terminal {
	for fd := range 3 {
		if _, ok := foreground(fd); ok {
			return &terminal{fd, syscall.Getpgrp()}
		}
	}
	return nil
}

// alone returns whether no other program seems to use the terminal. If standard input or output is a pipe, it may lead
// to a pager, which needs the foreground: then the program gets the foreground only when it tries to use the terminal.
func (t *terminal) alone() bool {
	if t == nil {
		return false
	}
	_, in := foreground(0)
	_, out := foreground(1)
	return in && out
}

// foreground returns the process group in the foreground of the terminal at fd, and false if fd is not this session's
// terminal.
func foreground(fd int) (int, bool) {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return int(group), errno == 0
}

// give gives the foreground to the program's group, if vault-env has it, and returns whether the program has it.
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

// hand gives the foreground to a group, whichever group has it now.
func (t *terminal) hand(group int) {
	if t == nil {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // it would stop a background process that does this
	g := int32(group)
	// If it fails, the terminal is gone.
	syscall.Syscall(syscall.SYS_IOCTL, uintptr(t.fd), syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&g)))
}

// take takes the foreground back, if the program's group still has it.
func (t *terminal) take(group int) {
	if t == nil {
		return
	}
	if now, ok := foreground(t.fd); ok && now == group {
		t.hand(t.owner)
	}
}
