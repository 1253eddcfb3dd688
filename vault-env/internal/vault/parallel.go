package vault

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Job is one of the requests that are sent at the same time.
type Job func(context.Context) *failure.Failure

// RunAll runs the jobs, as many at once as the connection bears. The first failure in their order is the one told; one
// that cannot heal ends the others.
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

// Refused gives the failure for a final status of 300 and above.
func Refused(status int, format string, args ...any) *failure.Failure {
	switch {
	case status == http.StatusNotFound:
		return failure.Newf(failure.Missing, format, args...)
	case status >= 400:
		return failure.Newf(failure.Denied, format, args...)
	}
	return failure.Newf(failure.Protocol, format, args...)
}
