package main

import (
	"context"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// read gives the secret that a read or a write of its path answers, nil where there is none and that is to be ignored.
func (c *client) read(ctx context.Context, key readKey, ignoreMissing bool) (*secret, *failure.Failure) {
	answer, f := c.request(ctx, key)
	if f != nil {
		return nil, f
	}
	switch answer.Status {
	case http.StatusOK:
		return c.found(key, answer)
	case http.StatusNotFound:
		return c.notFound(key, answer, ignoreMissing)
	case http.StatusNoContent:
		hint := "check the path"
		if key.write {
			hint = "a write to this path answers nothing that a variable could hold"
		}
		return missing(key, "204", hint, ignoreMissing)
	}
	said := strings.ReplaceAll(vaultErrors(answer.Body), c.token, "…")
	if answer.Status == http.StatusForbidden {
		doing, capability := "reading", "read"
		if key.write {
			doing, capability = "writing", "update"
		}
		return nil, failure.Newf(failure.Denied, `Vault denies %s %s (%s): give the role's policy "%s" on it`, doing, failure.QuoteName(key.path), retry.StatusText(answer.Status, said), capability)
	}
	if key.write {
		return nil, refused(answer.Status, "Vault refused to write %s (%s): check the path and the JSON of the reference", failure.QuoteName(key.path), retry.StatusText(answer.Status, said))
	}
	return nil, refused(answer.Status, "Vault refused to read %s (%s): check the path", failure.QuoteName(key.path), retry.StatusText(answer.Status, said))
}

func (c *client) request(ctx context.Context, key readKey) (*retry.Answer, *failure.Failure) {
	if key.write {
		return c.do(ctx, http.MethodPut, key.path, "", []byte(key.body))
	}
	return c.do(ctx, http.MethodGet, key.path, key.version, nil)
}

func (c *client) found(key readKey, answer *retry.Answer) (*secret, *failure.Failure) {
	decoded, err := decodeAnswer(answer.Body)
	if err != nil || decoded.Data == nil {
		return nil, failure.Newf(failure.Protocol, "the answer for %s is not one of Vault's: check that %s is a Vault, and that the path is one to read", failure.QuoteName(key.path), c.address)
	}
	s, f := asSecret(decoded.Data)
	if f != nil {
		return nil, f.Under(key.path)
	}
	s.lease, _ = leaseOf(key, decoded)
	return s, nil
}

// notFound tells four cases of 404 apart: a deleted version of KV version 2, a path of KV version 2 without its
// "data" segment, nothing, and an answer of somebody who is no Vault (which must not pass for a missing secret).
func (c *client) notFound(key readKey, answer *retry.Answer, ignoreMissing bool) (*secret, *failure.Failure) {
	decoded, err := decodeAnswer(answer.Body)
	if err != nil || decoded.Data == nil && decoded.Errors == nil && decoded.Warnings == nil {
		return nil, failure.Newf(failure.Protocol, "the answer for %s (404) is not one of Vault's: check that %s is a Vault", failure.QuoteName(key.path), c.address)
	}
	if _, versioned := asKVVersion(decoded.Data); versioned {
		return c.found(key, answer)
	}
	hint := "check the path"
	if strings.Contains(strings.Join(decoded.Warnings, " "), "versioned K/V") {
		hint = "a secret of KV version 2 is read at MOUNT/data/NAME"
	}
	return missing(key, retry.StatusText(answer.Status, vaultErrors(answer.Body)), hint, ignoreMissing)
}

func missing(key readKey, status, hint string, ignore bool) (*secret, *failure.Failure) {
	if ignore {
		return nil, nil
	}
	which := failure.QuoteName(key.path)
	if key.version != "" {
		which += " version " + key.version
	}
	return nil, failure.Newf(failure.Missing, "Vault has no secret at %s (%s): %s", which, status, hint)
}
