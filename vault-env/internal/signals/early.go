package signals

import (
	"context"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// ending are the signals that end a container or a job. They would also end a program that has just started.
var ending = [...]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// EndsEarly returns whether the program is not started if a signal arrives before it.
func EndsEarly(s syscall.Signal) bool {
	for _, e := range ending {
		if s == e {
			return true
		}
	}
	return false
}

// Status returns the exit status that a shell reports for a program that a signal ended.
func Status(s syscall.Signal) int { return 128 + int(s) }

// Received returns the failure of a start that a signal ended.
func Received(s syscall.Signal) *failure.Failure {
	return failure.Newf(Status(s), "received %s before the program started: not starting it", Name(s))
}

// Early receives the signals that end vault-env before it starts the program. As process 1 it has to handle them: the
// kernel does nothing then, and Go would end the process without a line, and without revoking the token.
type Early struct {
	ctx    context.Context
	before map[syscall.Signal]action // what Go does with the signals that are caught
}

// None returns an Early that catches nothing, for a start that takes no time.
func None() *Early { return &Early{ctx: context.Background()} }

// CatchEarly catches the signals that end vault-env early, but not those that are ignored (nohup). There can be one at a
// time.
func CatchEarly() (*Early, *failure.Failure) {
	wakeup, err := newWakeup()
	if err != nil {
		return nil, failure.Newf(failure.CannotRun, "cannot wait for signals: %s", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	e := &Early{ctx, make(map[syscall.Signal]action, len(ending))}
	for _, s := range ending {
		if !signal.Ignored(s) {
			e.before[s] = catch(s)
		}
	}
	go func() {
		var count [8]byte
		wakeup.Read(count[:]) // ends by the first signal
		if f := e.received(); f != nil {
			cancel(f)
		}
	}()
	return e, nil
}

// received returns the failure of the signal that has arrived, or nil.
func (e *Early) received() *failure.Failure {
	if s := syscall.Signal(atomic.LoadInt32(&received)); s != 0 && e.before != nil {
		return Received(s)
	}
	return nil
}

// Context returns a context that ends when a signal arrives.
func (e *Early) Context() context.Context { return e.ctx }

// Or returns the failure of the signal that has arrived, or f if none has.
func (e *Early) Or(f *failure.Failure) *failure.Failure {
	if received := e.received(); received != nil {
		return received
	}
	return f
}

// Wait waits for d, or until a signal arrives, and returns its failure then.
func (e *Early) Wait(d time.Duration) *failure.Failure {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-e.ctx.Done():
		}
	}
	return e.Or(nil)
}

// Stop stops catching the signals, and returns the failure of the one that has arrived. One that arrives later has its
// usual effect, on this process or on the program.
func (e *Early) Stop() *failure.Failure {
	for s, before := range e.before {
		setAction(s, &before, nil)
	}
	return e.received()
}
