// Package retry sends a request until it has a final answer or no time is left, to Vault as well as to the cloud
// services that identify a workload. The request itself decides what to retry; this package decides how long to wait
// between attempts.
//
// It also has the functions that describe answers in messages, so that no message repeats a secret.
package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

const (
	firstBackoff = 50 * time.Millisecond
	longestWait  = 2 * time.Second
)

// Answer is a response to a request, whatever its status.
type Answer struct {
	Status int
	Body   []byte
	HTTP2  bool
	// Elsewhere is the scheme and host of a redirect that is not followed; empty: no redirect, or none with a target.
	Elsewhere string
}

// Exchange is one request, sent until it has a final answer.
type Exchange struct {
	Label string // for the log: names the request, contains nothing secret
	Where string // names the server, such as "Vault at https://…"
	// Send sends it once. The duration is how long the server asks to wait before the next attempt.
	Send     func(context.Context) (*Answer, time.Duration, error)
	Again    func(*Answer) bool                   // another attempt may get another answer
	Final    func(error) *failure.Failure         // for an error that another attempt would only repeat, else nil
	Describe func(*Answer, error) string          // why there was no final answer, in a few words
	Late     func(reason string) *failure.Failure // the failure if no time is left for another attempt
}

// Retrier sends exchanges.
type Retrier struct {
	log    *logging.Logger
	random func() float64 // in [0,1)
	told   *sync.Once     // of the first attempt without an answer: the next ones say the same
	most   int            // attempts at each exchange; 0: as many as there is time for
}

// New returns a Retrier with random jitter.
func New(log *logging.Logger) Retrier { return Retrier{log, rand.Float64, &sync.Once{}, 0} }

// AtMost returns a Retrier that sends an exchange at most so many times; 0: as often as there is time for.
func (r Retrier) AtMost(attempts int) Retrier {
	r.most = attempts
	return r
}

// Do returns the final answer to a request. It retries while that may help and the context's deadline allows it, and
// fails if there is no final answer. What a final answer means is up to the caller.
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
		if reason == "" || ctx.Err() == nil { // "503 Vault is sealed" is more helpful than the timeout that follows
			reason = e.Describe(a, err)
		}
		if r.Exhausted(attempt + 1) {
			return nil, e.Late(reason + NoOtherAttempt)
		}
		wait = r.Pause(ctx, wait, attempt)
		if r.log.Debugs() {
			r.log.Debug(e.Label + ": " + reason + ", retrying")
		}
		r.tellOnce(ctx, wait, e.Where, reason)
		if !Sleep(ctx, wait) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, failure.Cancelled
			}
			return nil, e.Late(reason)
		}
	}
}

// tellOnce warns at once that there is no answer yet, so that nobody looks at an empty log until the deadline. It does
// not if there is no time for another attempt: the failure says the same then.
func (r Retrier) tellOnce(ctx context.Context, wait time.Duration, where, reason string) {
	deadline, limited := ctx.Deadline()
	left := time.Until(deadline)
	if !limited || left <= wait {
		return
	}
	r.told.Do(func() {
		seconds := (left + time.Second - 1).Truncate(time.Second)
		r.log.Warn(fmt.Sprintf("%s: %s; trying again for up to %s", where, reason, seconds))
	})
}

// NoOtherAttempt follows the reason why there was no answer, if an exchange has been sent as often as is allowed.
const NoOtherAttempt = "; VAULT_MAX_RETRIES allows no other attempt"

// Exhausted returns whether no other attempt is allowed after so many.
func (r Retrier) Exhausted(attempts int) bool { return r.most > 0 && attempts >= r.most }

// Pause returns how long to wait before the next attempt. It is never shorter than the server asks for, and up to twice
// as long: a server that tells five hundred clients the same time would be asked by all of them in the same millisecond.
// The time after it that is left until the deadline is shared by halves. attempt counts from 0.
func (r Retrier) Pause(ctx context.Context, asked time.Duration, attempt int) time.Duration {
	backoff := r.backoff(ctx, attempt)
	if asked <= 0 {
		return backoff
	}
	spread := asked
	if deadline, ok := ctx.Deadline(); ok {
		spread = max(min(spread, (time.Until(deadline)-asked)/2), 0)
	}
	return max(asked+time.Duration(float64(spread)*r.random()), backoff)
}

// backoff returns a pause that doubles with each attempt, with a jitter of one half, so that a hundred pods do not
// retry at once. Near the deadline it halves the time left, down to firstBackoff, so that the last attempt comes late.
func (r Retrier) backoff(ctx context.Context, attempt int) time.Duration {
	wait := min(firstBackoff<<min(attempt, 10), longestWait)
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)/2), firstBackoff)
	}
	return time.Duration(float64(wait) * (0.5 + r.random()/2))
}

// Sleep waits for d, and returns whether d passed before the context ended. It returns false at once if the deadline
// comes first: then there is nothing to wait for.
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

// Worth returns whether another attempt may get a different answer: 408 and 425 mean a request that came too slowly or
// too early, 412 a replica that has not seen the token yet, 429 a rate limit, 472 and 473 a server that stands by (the
// statuses of sys/health, which a proxy may pass on), 5xx a Vault that is sealed or has no leader, or a proxy in front
// of it.
func Worth(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusPreconditionFailed, http.StatusTooManyRequests, 472, 473:
		return true
	}
	return status >= 500
}

// After returns how long an answer asks to wait before the next attempt (RFC 9110, section 10.2.3, including its date
// form).
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
