package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

// ask gets everything that the plan wants: one token, then every path and every ciphertext once.
func ask(ctx context.Context, p *plan, log *logging.Logger) (*answers, *failure.Failure) {
	v := &p.settings.vault
	a := &answers{}
	var f *failure.Failure
	if a.token, f = givenToken(v); f != nil {
		return nil, f
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	c, f := newClient(v, a.token != "", log)
	if f != nil {
		return nil, f
	}
	if a.token == "" {
		auth, f := c.login(ctx, v)
		if f != nil {
			return nil, f
		}
		a.token, a.tokenLease, a.own = auth.ClientToken, tokenLeaseOf(auth), true
	}
	if failure.OneLine(a.token) != a.token { // it goes into a header
		return nil, failure.Newf(failure.Settings, "the token for Vault is malformed: it holds a control character")
	}
	c.token = a.token
	c.allowance = &atomic.Int64{}
	c.allowance.Store(maxAnswers)
	if f := c.getAll(ctx, p, a); f != nil {
		c.allowance = nil
		c.abandon(ctx, p.settings, a)
		return nil, f
	}
	c.allowance = nil
	c.endToken(p, a)
	a.client = c
	return a, nil
}

// getAll gets the plan's secrets and plaintexts into the answers, all at the same time.
func (c *client) getAll(ctx context.Context, p *plan, a *answers) *failure.Failure {
	secrets := make([]*secret, len(p.reads))
	decrypts := c.decryptions(p)
	jobs := make([]job, 0, len(p.reads)+len(decrypts))
	for i, key := range p.reads {
		jobs = append(jobs, func(ctx context.Context) *failure.Failure {
			var f *failure.Failure
			if secrets[i], f = c.read(ctx, key, p.settings.ignoreMissing); f != nil {
				return f.Under(p.readBy[key].String())
			}
			return nil
		})
	}
	for _, d := range decrypts {
		jobs = append(jobs, d.run)
	}
	if f := c.runAll(ctx, jobs); f != nil {
		return f
	}
	a.secrets = make(map[readKey]*secret, len(secrets))
	for i, key := range p.reads {
		a.secrets[key] = secrets[i]
		if s := secrets[i]; s != nil && s.lease.id != "" {
			a.leases = append(a.leases, s.lease)
		}
	}
	a.plaintexts = make(map[string]string, len(p.decrypts))
	for _, d := range decrypts {
		maps.Copy(a.plaintexts, d.plaintexts)
	}
	return nil
}

// job is one of the requests that are sent at the same time.
type job func(context.Context) *failure.Failure

// runAll runs the jobs, as many at once as the connection bears. The first failure in their order is the one told; one
// that cannot heal ends the others.
func (c *client) runAll(whole context.Context, jobs []job) *failure.Failure {
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

// refused gives the failure for a final status of 300 and above.
func refused(status int, format string, args ...any) *failure.Failure {
	switch {
	case status == http.StatusNotFound:
		return failure.Newf(failure.Missing, format, args...)
	case status >= 400:
		return failure.Newf(failure.Denied, format, args...)
	}
	return failure.Newf(failure.Protocol, format, args...)
}

func statusText(status int, said string) string {
	text := strconv.Itoa(status)
	if status >= 300 && status < 400 {
		text += ", a redirect, which is followed to the same host only"
	}
	if said != "" {
		text += ": " + said
	}
	return text
}
