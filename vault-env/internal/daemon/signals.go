package daemon

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// notForwarded are the signals that are not somebody's word to the program:
//   - SIGCHLD tells vault-env about its own children.
//   - SIGURG is how Go's runtime interrupts its own threads.
//   - SIGPIPE would come from a connection to Vault that broke, or from a log nobody reads any more.
//   - SIGTTIN and SIGTTOU come from a terminal, to those who used it out of turn.
var notForwarded = []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU}

const lastSignal = 64

// catchSignals has every signal that can be caught delivered to a channel, from now on; SIGPIPE too, so that it does
// not end vault-env. What vault-env was told to ignore when it was started (nohup), it and the program go on ignoring.
//
// Go cannot catch 32 to 34, which belong to the C library, those by which the processor tells of faults, and SIGPROF.
func catchSignals() chan os.Signal {
	var caught []os.Signal
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if s != syscall.SIGURG && s != syscall.SIGTTIN && s != syscall.SIGTTOU && !signal.Ignored(s) {
			caught = append(caught, s)
		}
	}
	c := make(chan os.Signal, 2*lastSignal) // of each one, as the kernel, and room for a second
	signal.Notify(c, caught...)
	return c
}

func isForwarded(s syscall.Signal) bool { return !slices.Contains(notForwarded, s) }

// endsEarly says whether a signal that arrives before the program was started is answered by not starting it. These
// are what ends a container or a job; a program that had just been started would end by them as well.
func endsEarly(s syscall.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGHUP || s == syscall.SIGQUIT
}

// signalStatus is the exit status by which a shell tells that a signal ended a program.
func signalStatus(s syscall.Signal) int { return 128 + int(s) }
