package daemon

import (
	"os"
	"os/signal"
	"reflect"
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

// caught are the signals that vault-env receives in place of the program.
type caught struct {
	forwarded <-chan syscall.Signal
	children  <-chan os.Signal // SIGCHLD: a child has stopped or ended
	stop      func()
}

// catchSignals catches every signal that can be caught, including SIGPIPE, so that it does not end vault-env. Signals
// that were ignored when vault-env started (nohup) stay ignored, by the program as well.
//
// Package os/signal drops a signal if the channel is full. Therefore each signal has a channel of its own with room for
// one: a signal is only dropped if the same one is pending, as in the kernel. A flood of one cannot displace another.
//
// Go cannot catch 32 to 34, which belong to the C library, the processor's faults, and SIGPROF.
func catchSignals() *caught {
	children, forwarded, done := make(chan os.Signal, 1), make(chan syscall.Signal), make(chan struct{})
	signal.Notify(children, syscall.SIGCHLD) // even if it was ignored
	all := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(done)}}
	var channels []chan os.Signal
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if slices.Contains(notForwarded, s) && s != syscall.SIGPIPE || signal.Ignored(s) {
			continue
		}
		c := make(chan os.Signal, 1)
		signal.Notify(c, s)
		if isForwarded(s) {
			channels = append(channels, c)
			all = append(all, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
		}
	}
	go func() {
		for {
			chosen, s, _ := reflect.Select(all)
			if chosen == 0 {
				return
			}
			select {
			case forwarded <- s.Interface().(syscall.Signal):
			case <-done:
				return
			}
		}
	}()
	return &caught{forwarded, children, func() {
		signal.Stop(children)
		for _, c := range channels {
			signal.Stop(c)
		}
		close(done)
	}}
}

func isForwarded(s syscall.Signal) bool { return !slices.Contains(notForwarded, s) }
