package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

const (
	firstBackoff = 50 * time.Millisecond
	longestWait  = 2 * time.Second
)

// answer is what came back for a request, whatever it says.
type answer struct {
	status int
	body   []byte
	http2  bool
}

// exchange is one request, sent until it has a final answer.
type exchange struct {
	label string // for the log: what is asked for, nothing secret
	// send sends it once. The duration is what the other side asks to wait before the next attempt.
	send     func(context.Context) (*answer, time.Duration, error)
	again    func(*answer) bool                   // another attempt may get another answer
	final    func(error) *failure.Failure         // of an error that another attempt would only repeat, else nil
	describe func(*answer, error) string          // why there was no final answer, in a few words
	late     func(reason string) *failure.Failure // there is no time for another attempt
}

// retrier sends exchanges.
type retrier struct {
	log    *logging.Logger
	random func() float64 // in [0,1)
}

// newRetrier returns one whose pauses nobody can foretell.
func newRetrier(log *logging.Logger) retrier { return retrier{log, rand.Float64} }

// do sends a request, and again while that may help and the context's deadline allows it. It fails where no final
// answer came; what a final answer means is the caller's affair.
func (r retrier) do(ctx context.Context, e exchange) (*answer, *failure.Failure) {
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
		wait = max(wait, r.backoff(ctx, attempt))
		if r.log.Debugs() {
			r.log.Debug(e.label + ": " + reason + ", trying again")
		}
		if !sleep(ctx, wait) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, failure.Cancelled
			}
			return nil, e.late(reason)
		}
	}
}

// backoff doubles from attempt to attempt, with a jitter of one half, so that a hundred pods do not come back at once.
// Near the deadline it halves what is left, down to firstBackoff, so that the last attempt comes late.
func (r retrier) backoff(ctx context.Context, attempt int) time.Duration {
	wait := min(firstBackoff<<min(attempt, 10), longestWait)
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)/2), firstBackoff)
	}
	return time.Duration(float64(wait) * (0.5 + r.random()/2))
}

// sleep returns false at once where the deadline comes first: then there is nothing to wait for.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// worthRetrying returns whether another attempt may get another answer: 412 is a replica that has not seen the token's
// write yet, 429 a rate limit, 5xx a Vault that is sealed, has no leader, or a proxy before it.
func worthRetrying(status int) bool {
	return status == http.StatusPreconditionFailed || status == http.StatusTooManyRequests || status >= 500
}

// retryAfter reads the header of RFC 9110, section 10.2.3; its date form as well.
func retryAfter(response *http.Response) time.Duration {
	value := response.Header.Get("Retry-After")
	if value == "" || !worthRetrying(response.StatusCode) {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
