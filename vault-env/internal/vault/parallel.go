package vault

import (
	"context"
	"errors"
	"sync"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Job is one of the requests that are sent at the same time.
type Job func(context.Context) *failure.Failure

// RunAll runs the jobs, as many at once as the connection allows. A failure cancels the other jobs. RunAll returns the
// first failure in the order of the jobs.
func (c *Client) RunAll(whole context.Context, jobs []Job) *failure.Failure {
	ctx, cancel := context.WithCancel(whole)
	defer cancel()
	failures := make([]*failure.Failure, len(jobs))
	free := make(chan struct{}, c.concurrency())
	var running sync.WaitGroup
	for i, run := range jobs {
		free <- struct{}{}
		if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			break
		}
		running.Go(func() {
			defer func() { <-free }()
			if failures[i] = run(ctx); failures[i] != nil {
				cancel()
			}
		})
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
