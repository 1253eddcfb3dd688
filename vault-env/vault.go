package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// ask gets everything that the plan wants: one token, then every path once.
func ask(ctx context.Context, p *plan, log *logger) (*answers, *failure) {
	v := &p.settings.vault
	a := &answers{}
	var f *failure
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
		a.token, a.tokenLease = auth.ClientToken, tokenLeaseOf(auth)
	}
	if oneLine(a.token) != a.token { // it goes into a header
		return nil, failf(exitSettings, "the token for Vault is malformed: it holds a control character")
	}
	c.token = a.token
	a.secrets, f = c.readAll(ctx, p)
	return a, f
}

// refused gives the failure for a final status of 300 and above.
func refused(status int, format string, args ...any) *failure {
	switch {
	case status == http.StatusNotFound:
		return failf(exitMissing, format, args...)
	case status >= 400:
		return failf(exitDenied, format, args...)
	}
	return failf(exitProtocol, format, args...)
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

// readAll reads the plan's paths at once, each once. The first failure in the plan's order is the one told; one that
// cannot heal ends the others.
func (c *client) readAll(ctx context.Context, p *plan) (map[readKey]*secret, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	secrets := make([]*secret, len(p.reads))
	failures := make([]*failure, len(p.reads))
	free := make(chan struct{}, c.concurrency())
	var readers sync.WaitGroup
	for i, key := range p.reads {
		free <- struct{}{}
		if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			break
		}
		readers.Go(func() {
			defer func() { <-free }()
			if secrets[i], failures[i] = c.read(ctx, key, p.settings.ignoreMissing); failures[i] != nil {
				cancel()
			}
		})
	}
	readers.Wait()
	read := make(map[readKey]*secret, len(p.reads))
	for i, key := range p.reads {
		if f := failures[i]; f != nil && f != cancelled {
			return nil, f.under(p.label(key))
		}
		read[key] = secrets[i]
	}
	return read, nil
}

// read gives the secret at a path, nil where there is none and that is to be ignored.
func (c *client) read(ctx context.Context, key readKey, ignoreMissing bool) (*secret, *failure) {
	answer, f := c.do(ctx, http.MethodGet, key.path, key.version, nil)
	if f != nil {
		return nil, f
	}
	switch answer.status {
	case http.StatusOK:
		return c.found(key, answer)
	case http.StatusNotFound:
		return c.notFound(key, answer, ignoreMissing)
	case http.StatusNoContent:
		return missing(key, "204", "check the path", ignoreMissing)
	}
	said := strings.ReplaceAll(vaultErrors(answer.body), c.token, "…")
	if answer.status == http.StatusForbidden {
		return nil, failf(exitDenied, `Vault denies reading %s (%s): give the role's policy "read" on it`, quoteName(key.path), statusText(answer.status, said))
	}
	return nil, refused(answer.status, "Vault refused to read %s (%s): check the path", quoteName(key.path), statusText(answer.status, said))
}

func (c *client) found(key readKey, answer *answer) (*secret, *failure) {
	decoded, err := decodeAnswer(answer.body)
	if err != nil || decoded.Data == nil {
		return nil, failf(exitProtocol, "the answer for %s is not one of Vault's: check that %s is a Vault, and that the path is one to read", quoteName(key.path), c.address)
	}
	s, f := asSecret(decoded.Data)
	if f != nil {
		return nil, f.under(key.path)
	}
	return s, nil
}

// notFound tells four cases of 404 apart: a deleted version of KV version 2, a path of KV version 2 without its
// "data" segment, nothing, and an answer of somebody who is no Vault (which must not pass for a missing secret).
func (c *client) notFound(key readKey, answer *answer, ignoreMissing bool) (*secret, *failure) {
	decoded, err := decodeAnswer(answer.body)
	if err != nil || decoded.Data == nil && decoded.Errors == nil && decoded.Warnings == nil {
		return nil, failf(exitProtocol, "the answer for %s (404) is not one of Vault's: check that %s is a Vault", quoteName(key.path), c.address)
	}
	if _, versioned := asKVVersion(decoded.Data); versioned {
		return c.found(key, answer)
	}
	hint := "check the path"
	if strings.Contains(strings.Join(decoded.Warnings, " "), "versioned K/V") {
		hint = "a secret of KV version 2 is read at MOUNT/data/NAME"
	}
	return missing(key, statusText(answer.status, vaultErrors(answer.body)), hint, ignoreMissing)
}

func missing(key readKey, status, hint string, ignore bool) (*secret, *failure) {
	if ignore {
		return nil, nil
	}
	which := quoteName(key.path)
	if key.version != "" {
		which += " version " + key.version
	}
	return nil, failf(exitMissing, "Vault has no secret at %s (%s): %s", which, status, hint)
}
