package signals

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
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
	ctx     context.Context
	signals chan os.Signal
	done    chan struct{}
	stop    sync.Once
}

// None returns an Early that catches nothing, for a start that takes no time.
func None() *Early {
	e := &Early{ctx: context.Background(), signals: make(chan os.Signal), done: make(chan struct{})}
	close(e.done)
	return e
}

// CatchEarly catches the signals that end vault-env early, but not those that are ignored (nohup).
func CatchEarly() *Early {
	ctx, cancel := context.WithCancelCause(context.Background())
	e := &Early{ctx: ctx, signals: make(chan os.Signal, 1), done: make(chan struct{})}
	for _, s := range ending {
		if !signal.Ignored(s) {
			signal.Notify(e.signals, s)
		}
	}
	go func() {
		defer close(e.done)
		for s := range e.signals {
			cancel(Received(s.(syscall.Signal))) // the first one counts
		}
	}()
	return e
}

// Context returns a context that ends when a signal arrives.
func (e *Early) Context() context.Context { return e.ctx }

// Or returns the failure of the signal that has arrived, or f if none has.
func (e *Early) Or(f *failure.Failure) *failure.Failure {
	var received *failure.Failure
	if errors.As(context.Cause(e.ctx), &received) {
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

// Stop stops catching the signals, and returns the failure of the one that has arrived. None is lost: one that arrives
// later has its usual effect, on this process or on the program.
func (e *Early) Stop() *failure.Failure {
	e.stop.Do(func() {
		signal.Stop(e.signals) // none is sent to the channel after this
		close(e.signals)
	})
	<-e.done
	return e.Or(nil)
}
