package main

import (
	"os/signal"
	"syscall"
	"unsafe"
)

// terminal is the controlling terminal, where vault-env was started in its foreground. Its keys are for the program
// then: the program's process group gets the foreground, and with it what is typed and the signals of the keyboard.
type terminal struct {
	fd    int
	owner int // vault-env's own process group
}

// ownTerminal gives nil where standard input or output is something else, so that a pipe to a pager, which needs the
// terminal itself, stays as it is.
func ownTerminal() *terminal {
	owner := syscall.Getpgrp()
	for _, fd := range []int{0, 1} {
		if group, ok := foreground(fd); !ok || group != owner {
			return nil
		}
	}
	return &terminal{0, owner}
}

// foreground gives the process group in the foreground of the terminal at fd, false if it is not this session's.
func foreground(fd int) (int, bool) {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return int(group), errno == 0
}

func setForeground(fd, group int) {
	g := int32(group)
	// Where it fails the terminal is gone.
	syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&g)))
}

// give hands the foreground to the program's group, if it is vault-env's to give.
func (t *terminal) give(group int) bool {
	if t == nil {
		return false
	}
	now, ok := foreground(t.fd)
	if !ok || now != t.owner {
		return false
	}
	setForeground(t.fd, group)
	return true
}

// take takes it back, if the program's group still has it.
func (t *terminal) take(group int) {
	if t == nil {
		return
	}
	if now, ok := foreground(t.fd); ok && now == group {
		// Else a process of the background would be stopped for this.
		signal.Ignore(syscall.SIGTTOU)
		setForeground(t.fd, t.owner)
	}
}
