package vault

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
)

const (
	revokePath = "auth/token/revoke-self"
	// How long one request may go unanswered once the start waits for it. Vault answers within milliseconds, and needs a
	// second only if it is in trouble.
	answerTime = time.Second
	// How many may go unanswered.
	mostUnanswered = 2
	// A revocation is retried for half of the time left, within these bounds. A failed start waits no longer than the
	// first: its message is due.
	leastRevocation, longestRevocation = time.Second, 5 * time.Second
	// How often the pauses between attempts double: none is longer than 0.8 s, unless Vault asks for it.
	mostDoublings = 4
	// The least pause before a revocation at Vault's rate limit; the most is twice as long.
	limitedPause = time.Second
)

// Revoking is a revocation in progress.
type Revoking struct {
	ttl    time.Duration // of the token, from the login on; zero: not known
	done   chan struct{}
	giveUp context.CancelCauseFunc
	reason string // why the token was not revoked; to be read when done
	told   sync.Once
}

// Identify starts to find out whether requests arrive with the client's token, while others are in flight. A Vault Proxy
// or Agent with a forced auto-auth token sends its own instead, and a revocation would revoke that. It returns nil if
// that has to wait until the token is used no more: if an additional request might use it up, and over HTTP/1.1, where
// one more request at a time is one more connection. So it does at Vault's rate limit.
func (c *Client) Identify(ctx context.Context, t Token) *Identity {
	if !t.Unlimited || !c.lines.areHTTP2() || c.lines.atLimit() {
		return nil
	}
	return c.identify(ctx, false)
}

// BeginRevocation starts to revoke a token, and returns without waiting. The token is the client's, and nothing needs it
// any more. The revocation takes at most half of the time that is left until the context's deadline, but may take a
// second, and never takes more than five. It does not end with the context. identity is that of Identify, or nil.
//
// At Vault's rate limit, the revocation comes after a pause, and not at all if there is no time for that: each of its
// requests would take the place of one that another start waits for.
func (c *Client) BeginRevocation(ctx context.Context, t Token, identity *Identity) *Revoking {
	r := &Revoking{ttl: t.Lease.Duration, done: make(chan struct{})}
	bound := leastRevocation
	if deadline, limited := ctx.Deadline(); limited {
		bound = min(max(bound, time.Until(deadline)/2), longestRevocation)
	}
	ctx, r.giveUp = context.WithCancelCause(context.WithoutCancel(ctx))
	go func() { // nothing is logged here: the process may have become the program
		defer close(r.done)
		defer r.giveUp(nil)
		limited, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		if c.lines.atLimit() && !c.sleep(limited, c.retrier.Pause(limited, limitedPause, 0)) {
			identity.Release()
			r.reason = "Vault is at its rate limit, which is left to starts"
			return
		}
		r.reason = c.revokeWithin(limited, bound, t, identity)
	}()
	return r
}

// Settle waits until the token is revoked, or is not, which it logs as a warning: the start does not fail. From when the
// context ends, it waits for one more second at most. It returns at once if there is no revocation.
func (r *Revoking) Settle(ctx context.Context, log *logging.Logger) {
	if r == nil {
		return
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		timer := time.AfterFunc(leastRevocation, func() { r.giveUp(errSilent{leastRevocation}) })
		defer timer.Stop()
		<-r.done
	}
	r.told.Do(func() { LogRevocation(r.reason, r.ttl, log) })
}

// SettleSoon is Settle for when nothing is to start any more: it waits for one second at most.
func (r *Revoking) SettleSoon(log *logging.Logger) { r.Settle(hurried, log) }

// RevokeNow revokes a token and its leases after a failed start, because nothing will use them, and waits up to a second
// until that is done. identity is that of Identify, or nil.
func (c *Client) RevokeNow(ctx context.Context, t Token, identity *Identity) {
	// A start that was cancelled, or has no time left, leaves no token behind either.
	LogRevocation(c.revokeWithin(context.WithoutCancel(ctx), leastRevocation, t, identity), t.Lease.Duration, c.log)
}

// LogRevocation logs whether a token was revoked. If it was not, there is a reason, and the line says what happens to the
// token. ttl is zero if it is not known.
func LogRevocation(reason string, ttl time.Duration, log *logging.Logger) {
	if reason == "" {
		log.Debug("the token was revoked")
		return
	}
	text := "the token was not revoked (" + reason + "): it is valid until its TTL ends"
	if ttl > 0 {
		text += ", " + ttl.String() + " after the login"
	}
	log.Warn(text)
}

func (c *Client) revokeWithin(ctx context.Context, bound time.Duration, t Token, identity *Identity) (reason string) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if identity != nil {
		defer identity.cancel()
	}
	reason, _ = c.revoke(ctx, t, identity)
	return reason
}

// Revoke revokes the client's token and its leases when the program has ended. It retries until the context ends. It
// returns why the token was not revoked, if it was not, and whether that is because requests arrive with another token:
// then the leases are that one's.
func (c *Client) Revoke(ctx context.Context) (reason string, foreign bool) {
	return c.revoke(ctx, Token{}, nil)
}

func (c *Client) revoke(ctx context.Context, t Token, identity *Identity) (reason string, isForeign bool) {
	if identity == nil {
		identity = c.identify(ctx, true)
		defer identity.cancel()
	}
	switch verdict, reason := identity.wait(ctx); {
	case verdict == used && !t.Unlimited: // it has expired, or Vault has revoked it after its last use
		return "", false
	case verdict != confirmed:
		return reason, verdict == foreign
	}
	answer, reason := c.insist(ctx, hurried, http.MethodPut, revokePath)
	if answer == nil {
		return reason, false
	}
	return c.remains(answer), false
}

// remains returns why the token remains valid after an answer to its revocation, or nothing.
func (c *Client) remains(answer *retry.Answer) string {
	switch {
	case answer.Status == http.StatusNoContent, isInvalidToken(answer): // an earlier attempt may have arrived although its answer did not
		return ""
	case answer.Status == http.StatusOK: // with warnings
		if _, err := Decode(answer.Body); err == nil {
			return ""
		}
		return "the response is not from Vault"
	}
	return c.refusal(answer, `grant "update" on `+revokePath+" in the token's policy")
}

func (c *Client) refusal(answer *retry.Answer, advice string) string {
	reason := strings.TrimSpace(retry.StatusText(answer.Status, Errors(answer.Body, c.Token)))
	if answer.Status == http.StatusForbidden {
		reason += ": " + advice
	}
	return reason
}

// isInvalidToken returns whether Vault answers that it does not know the token, rather than that its policies do not
// allow the request.
func isInvalidToken(a *retry.Answer) bool {
	said := Errors(a.Body)
	return a.Status == http.StatusForbidden && (strings.Contains(said, "invalid token") || strings.Contains(said, "bad token"))
}

// hurried is the context of requests that the start waits for already.
var hurried = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// insist sends a request until it has a final answer, the context ends, or the client allows no other attempt. From when
// hurry ends, an attempt may go unanswered for answerTime; the next one uses another connection, and is the last. It
// returns why there is no answer, if there is none.
func (c *Client) insist(ctx, hurry context.Context, method, path string) (answer *retry.Answer, reason string) {
	e := c.Exchange(method, path, "", nil, c.Token)
	unanswered := 0
	for attempts := 1; ; attempts++ {
		answer, wait, err := attempt(ctx, hurry, e)
		if err == nil && !e.Again(answer) {
			return answer, ""
		}
		if errors.As(err, &errSilent{}) {
			unanswered++
		}
		if err == nil || reason == "" || ctx.Err() == nil { // "503 Vault is sealed" is more helpful than the timeout that follows
			reason = e.Describe(answer, err)
		}
		if unanswered == mostUnanswered || err != nil && e.Final(err) != nil {
			return nil, reason
		}
		if c.retrier.Exhausted(attempts) {
			return nil, reason + retry.NoOtherAttempt
		}
		if err == nil && answer.Status == http.StatusTooManyRequests && hurry.Err() == nil {
			select { // the limit is for what the start waits for
			case <-hurry.Done():
			case <-ctx.Done():
				return nil, reason
			}
			continue // the revocation has paused
		}
		if !c.sleep(ctx, c.retrier.Pause(ctx, wait, min(attempts-1, mostDoublings))) {
			return nil, reason
		}
	}
}

func attempt(ctx, hurry context.Context, e retry.Exchange) (*retry.Answer, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(hurry, func() {
		timer := time.AfterFunc(answerTime, func() { cancel(errSilent{answerTime}) })
		<-ctx.Done()
		timer.Stop()
	})
	defer stop()
	return e.Send(ctx)
}
