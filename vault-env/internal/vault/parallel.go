package vault

import (
	"context"
	"errors"
	"sync"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Job is one of the requests that are sent at the same time.
type Job func(context.Context) *failure.Failure

// RunAll runs the jobs, as many at once as the connection allows; if that is not known, the first one alone until it has
// a connection. A failure cancels the other jobs. RunAll returns the first failure in the order of the jobs.
func (c *Client) RunAll(whole context.Context, jobs []Job) *failure.Failure {
	ctx, cancel := context.WithCancel(whole)
	defer cancel()
	failures := make([]*failure.Failure, len(jobs))
	var running sync.WaitGroup
	begin := func(i int, ended func()) {
		running.Go(func() {
			defer ended()
			if failures[i] = jobs[i](ctx); failures[i] != nil {
				cancel()
			}
		})
	}
	next := 0
	if unlearned := c.lines.unlearned(); unlearned != nil && len(jobs) > 0 {
		first := make(chan struct{})
		begin(0, func() { close(first) })
		next = 1
		select {
		case <-unlearned:
		case <-first:
		}
	}
	free := make(chan struct{}, c.concurrency())
	for ; next < len(jobs); next++ {
		free <- struct{}{}
		if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			break
		}
		begin(next, func() { <-free })
	}
	running.Wait()
	for _, f := range failures {
		if f != nil && f != failure.Cancelled {
			return f
		}
	}
	if errors.Is(whole.Err(), context.Canceled) {
		return failure.Cancelled
	}
	return nil
}
