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
	// Writing to an open connection takes microseconds. If it does not get through, the program is not kept waiting.
	writeTime = 100 * time.Millisecond
	// A start that failed has some time, but no more than this.
	abandonTime = time.Second
)

// Revoking is a request to revoke the token, under way.
type Revoking struct {
	written, answered chan struct{}
	settled           bool
}

// BeginRevocation begins to revoke the client's token, and returns without an answer.
func (c *Client) BeginRevocation() *Revoking {
	r := &Revoking{written: make(chan struct{}), answered: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), abandonTime) // for daemon mode, which goes on living
	written := sync.OnceFunc(func() { close(r.written) })                 // net/http may try a second time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { written() },
	})
	go func() { // nothing is logged from here: the process may be the program by then
		defer close(r.answered)
		defer cancel()
		c.revoke(ctx)
	}()
	return r
}

// Settle waits until the request to revoke the token is written. It does not wait for the answer: the program starts
// meanwhile. Vault finishes what it has begun although the connection is closed then, as exec does.
func (r *Revoking) Settle(log *logging.Logger) {
	if r.settled {
		return
	}
	r.settled = true
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	select {
	case <-r.written:
		log.Debug("the token is to be revoked: the request is sent")
	case <-r.answered:
		log.Debug("the token is to be revoked: the request is answered")
	case <-timer.C:
		log.Debug("the token is not revoked: the request could not be written in time")
	}
}

// RevokeNow revokes the client's token after a start that failed, and with it whatever it has borrowed: nobody will use
// that. It takes what time the context has left, within bounds.
func (c *Client) RevokeNow(ctx context.Context) {
	left := abandonTime
	if deadline, ok := ctx.Deadline(); ok {
		left = max(min(left, time.Until(deadline)), writeTime)
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	if reason := c.revoke(ctx); reason != "" {
		c.log.Debug("the token is not revoked: " + reason)
		return
	}
	c.log.Debug("the token is revoked")
}

// revoke asks once, and returns why that failed. It is of interest to a log only: the token ends by itself.
func (c *Client) revoke(ctx context.Context) (reason string) {
	answer, _, err := c.Once(ctx, http.MethodPut, revokePath, nil)
	if err != nil || answer.Status >= 300 {
		return Describe(answer, err, c.Token)
	}
	return ""
}
