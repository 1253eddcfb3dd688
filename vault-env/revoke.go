package main

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"strings"
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

// revoking is a request to revoke the token, under way.
type revoking struct {
	written, answered chan struct{}
	settled           bool
}

// endToken begins to revoke the token before the program starts, where the program has no use for it: it does not get
// it, and no lease ends with it.
func (c *client) endToken(p *plan, a *answers) {
	if !a.revocable(p.settings.revoke) || p.login {
		return
	}
	if len(a.leases) > 0 {
		c.log.Debug("the token is not revoked: leases depend on it")
		return
	}
	r := &revoking{written: make(chan struct{}), answered: make(chan struct{})}
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
	a.revoking = r
}

// settleToken waits until the request to revoke the token is written, if there is one. It does not wait for the answer:
// the program starts meanwhile. Vault finishes what it has begun although the connection is closed then, as exec does.
func (a *answers) settleToken(log *logging.Logger) {
	if a.revoking == nil || a.revoking.settled {
		return
	}
	a.revoking.settled = true
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	select {
	case <-a.revoking.written:
		log.Debug("the token is to be revoked: the request is sent")
	case <-a.revoking.answered:
		log.Debug("the token is to be revoked: the request is answered")
	case <-timer.C:
		log.Debug("the token is not revoked: the request could not be written in time")
	}
}

// abandon revokes the token after a start that failed, and with it whatever it has borrowed: nobody will use that.
func (c *client) abandon(ctx context.Context, s *settings, a *answers) {
	if a.revoking != nil {
		a.settleToken(c.log)
		return
	}
	if !a.own || !a.revocable(s.revoke) {
		return
	}
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

// revocable says whether the settings let the token be revoked. Tokens of type batch cannot be.
func (a *answers) revocable(r revocation) bool {
	return (r == revokeAny || a.own && r == revokeOwn) && !strings.HasPrefix(a.token, "hvb.")
}

// revoke asks once, and says why that failed. It is of interest to a log only: the token ends by itself.
func (c *client) revoke(ctx context.Context) (reason string) {
	answer, _, err := c.once(ctx, http.MethodPut, c.address+"/v1/"+revokePath, nil)
	if err != nil || answer.status >= 300 {
		return describe(answer, err, c.token)
	}
	return ""
}
