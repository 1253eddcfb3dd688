// Package retry sends a request until it has a final answer, or there is no time left: the same for Vault and for the
// services of the clouds that say who a workload is. What is worth another attempt and what is not, the request itself
// says; how long to wait between attempts is decided here.
//
// It also has the words in which messages speak of answers, so that none of them repeats a secret.
package retry

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

// Answer is what came back for a request, whatever it says.
type Answer struct {
	Status int
	Body   []byte
	HTTP2  bool
}

// Exchange is one request, sent until it has a final answer.
type Exchange struct {
	Label string // for the log: what is asked for, nothing secret
	// send sends it once. The duration is what the other side asks to wait before the next attempt.
	Send     func(context.Context) (*Answer, time.Duration, error)
	Again    func(*Answer) bool                   // another attempt may get another answer
	Final    func(error) *failure.Failure         // of an error that another attempt would only repeat, else nil
	Describe func(*Answer, error) string          // why there was no final answer, in a few words
	Late     func(reason string) *failure.Failure // there is no time for another attempt
}

// Retrier sends exchanges.
type Retrier struct {
	log    *logging.Logger
	random func() float64 // in [0,1)
}

// New returns a Retrier whose pauses nobody can foretell.
func New(log *logging.Logger) Retrier { return Retrier{log, rand.Float64} }

// Do returns the final answer to a request. It sends it, and again while that may help and the context's deadline
// allows it. It fails where no final answer came; what a final answer means is the caller's affair.
func (r Retrier) Do(ctx context.Context, e Exchange) (*Answer, *failure.Failure) {
	reason := ""
	for attempt := 0; ; attempt++ {
		a, wait, err := e.Send(ctx)
		switch {
		case err == nil && !e.Again(a):
			return a, nil
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, failure.Cancelled
		case err != nil:
			if f := e.Final(err); f != nil {
				return nil, f
			}
		}
		if reason == "" || ctx.Err() == nil { // "503 Vault is sealed" says more than the timeout after it
			reason = e.Describe(a, err)
		}
		wait = max(wait, r.backoff(ctx, attempt))
		if r.log.Debugs() {
			r.log.Debug(e.Label + ": " + reason + ", trying again")
		}
		if !Sleep(ctx, wait) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, failure.Cancelled
			}
			return nil, e.Late(reason)
		}
	}
}

// backoff doubles from attempt to attempt, with a jitter of one half, so that a hundred pods do not come back at once.
// Near the deadline it halves what is left, down to firstBackoff, so that the last attempt comes late.
func (r Retrier) backoff(ctx context.Context, attempt int) time.Duration {
	wait := min(firstBackoff<<min(attempt, 10), longestWait)
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)/2), firstBackoff)
	}
	return time.Duration(float64(wait) * (0.5 + r.random()/2))
}

// Sleep returns whether a time has passed before the context ended. It returns false at once where the deadline comes
// first: then there is nothing to wait for.
func Sleep(ctx context.Context, d time.Duration) bool {
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

// Worth returns whether another attempt may get another answer: 412 is a replica that has not seen the token's
// write yet, 429 a rate limit, 5xx a Vault that is sealed, has no leader, or a proxy before it.
func Worth(status int) bool {
	return status == http.StatusPreconditionFailed || status == http.StatusTooManyRequests || status >= 500
}

// After returns how long an answer asks to wait before the next attempt (RFC 9110, section 10.2.3; its date form as
// well).
func After(response *http.Response) time.Duration {
	value := response.Header.Get("Retry-After")
	if value == "" || !Worth(response.StatusCode) {
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
