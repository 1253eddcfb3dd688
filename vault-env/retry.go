package main

import (
	"context"
	"errors"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// exchange is one request, sent until it has a final answer: the same for Vault and for the services that say who a
// workload is.
type exchange struct {
	label string // for the log: what is asked for, nothing secret
	// send sends it once. The duration is what the other side asks to wait before the next attempt.
	send     func(context.Context) (*answer, time.Duration, error)
	again    func(*answer) bool                   // another attempt may get another answer
	final    func(error) *failure.Failure         // of an error that another attempt would only repeat, else nil
	describe func(*answer, error) string          // why there was no final answer, in a few words
	late     func(reason string) *failure.Failure // there is no time for another attempt
}

// repeat sends a request, and again while that may help and the context's deadline allows it. It fails where no final
// answer came; what a final answer means is the caller's affair.
func (c *client) repeat(ctx context.Context, e exchange) (*answer, *failure.Failure) {
	reason := ""
	for attempt := 0; ; attempt++ {
		a, wait, err := e.send(ctx)
		switch {
		case err == nil && !e.again(a):
			return a, nil
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, failure.Cancelled
		case err != nil:
			if f := e.final(err); f != nil {
				return nil, f
			}
		}
		if reason == "" || ctx.Err() == nil { // "503 Vault is sealed" says more than the timeout after it
			reason = e.describe(a, err)
		}
		wait = max(wait, c.backoff(ctx, attempt))
		if c.log.Debugs() {
			c.log.Debug(e.label + ": " + reason + ", trying again")
		}
		if !sleep(ctx, wait) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, failure.Cancelled
			}
			return nil, e.late(reason)
		}
	}
}
