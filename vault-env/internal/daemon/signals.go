package daemon

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// notForwarded are the signals that are not meant for the program:
//   - SIGCHLD reports vault-env's own children.
//   - SIGURG is how Go's runtime interrupts its own threads.
//   - SIGPIPE would come from a broken connection to Vault, or from a log that is no longer read.
//   - SIGTTIN and SIGTTOU come from the terminal, to background processes that use it.
var notForwarded = []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU}

const lastSignal = 64

// catchSignals returns a channel that receives every signal that can be caught, including SIGPIPE, so that it does not
// end vault-env. Signals that were ignored when vault-env started (nohup) stay ignored, by the program as well.
//
// Go cannot catch 32 to 34, which belong to the C library, the processor's faults, and SIGPROF.
func catchSignals() chan os.Signal {
	var caught []os.Signal
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if s != syscall.SIGURG && s != syscall.SIGTTIN && s != syscall.SIGTTOU && !signal.Ignored(s) {
			caught = append(caught, s)
		}
	}
	c := make(chan os.Signal, 2*lastSignal) // one of each, as in the kernel, and room for a second
	signal.Notify(c, caught...)
	return c
}

func isForwarded(s syscall.Signal) bool { return !slices.Contains(notForwarded, s) }

// endsEarly returns whether the program is not started if a signal arrives before it. These are the signals that end a
// container or a job; they would also end a program that has just started.
func endsEarly(s syscall.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGHUP || s == syscall.SIGQUIT
}

// signalStatus returns the exit status that a shell reports for a program that a signal ended.
func signalStatus(s syscall.Signal) int { return 128 + int(s) }
