package vault

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
)

const (
	revokePath = "auth/token/revoke-self"
	// Writing to an open connection takes microseconds. If it takes longer, the program does not wait for it.
	writeTime = 100 * time.Millisecond
	// A failed start waits for the revocation, but no longer than this.
	abandonTime = time.Second
)

// Revoking is a request in progress to revoke the token.
type Revoking struct {
	written, answered chan struct{}
	settled           bool
	reason            string // why it failed; to be read when answered
}

// BeginRevocation starts to revoke the client's token, and returns without waiting for the answer.
func (c *Client) BeginRevocation() *Revoking {
	r := &Revoking{written: make(chan struct{}), answered: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), abandonTime) // for daemon mode, where the process lives on
	written := sync.OnceFunc(func() { close(r.written) })                 // net/http may send it twice
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { written() },
	})
	go func() { // nothing is logged here: the process may have become the program
		defer close(r.answered)
		defer cancel()
		r.reason = c.revoke(ctx)
	}()
	return r
}

// Settle waits until the request to revoke the token is sent. It does not wait for the answer, so that the program
// starts sooner: Vault completes the request even if exec closes the connection.
func (r *Revoking) Settle(log *logging.Logger) {
	if r.settled {
		return
	}
	r.settled = true
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	select {
	case <-r.written:
		log.Debug("revoking the token: the request was sent")
	case <-r.answered:
		log.Debug("revoking the token: Vault has responded")
	case <-timer.C:
		log.Debug("the token was not revoked: the request could not be sent in time")
	}
}

// Finish waits for the answer after a failed start, within bounds: no program is in a hurry.
func (r *Revoking) Finish(log *logging.Logger) {
	r.settled = true
	<-r.answered
	logRevocation(r.reason, log)
}

// RevokeNow revokes the client's token and its leases after a failed start: nothing will use them. It waits for as long
// as the context allows, within bounds.
func (c *Client) RevokeNow(ctx context.Context) {
	left := abandonTime
	if deadline, ok := ctx.Deadline(); ok {
		left = max(min(left, time.Until(deadline)), writeTime)
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	logRevocation(c.revoke(ctx), c.log)
}

func logRevocation(reason string, log *logging.Logger) {
	if reason != "" {
		log.Debug("the token was not revoked: " + reason)
		return
	}
	log.Debug("the token was revoked")
}

// revoke sends one request, and returns why it failed. A failure is only logged: the token expires on its own.
func (c *Client) revoke(ctx context.Context) (reason string) {
	answer, _, err := c.Once(ctx, http.MethodPut, revokePath, nil)
	if err != nil || answer.Status >= 300 {
		return Describe(answer, err, c.Token)
	}
	return ""
}
