package vault

import (
	"context"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// Read returns the secret that answers a read or a write, nil where there is none and that is to be ignored.
func (c *Client) Read(ctx context.Context, key Request, ignoreMissing bool) (*Secret, *failure.Failure) {
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
		if key.Write {
			hint = "a write to this path answers nothing that a variable could hold"
		}
		return missing(key, "204", hint, ignoreMissing)
	}
	said := strings.ReplaceAll(Errors(answer.Body), c.Token, "…")
	if answer.Status == http.StatusForbidden {
		doing, capability := "reading", "read"
		if key.Write {
			doing, capability = "writing", "update"
		}
		return nil, failure.Newf(failure.Denied, `Vault denies %s %s (%s): give the role's policy "%s" on it`, doing, failure.QuoteName(key.Path), retry.StatusText(answer.Status, said), capability)
	}
	if key.Write {
		return nil, Refused(answer.Status, "Vault refused to write %s (%s): check the path and the JSON of the reference", failure.QuoteName(key.Path), retry.StatusText(answer.Status, said))
	}
	return nil, Refused(answer.Status, "Vault refused to read %s (%s): check the path", failure.QuoteName(key.Path), retry.StatusText(answer.Status, said))
}

func (c *Client) request(ctx context.Context, key Request) (*retry.Answer, *failure.Failure) {
	if key.Write {
		return c.Do(ctx, http.MethodPut, key.Path, "", []byte(key.Body))
	}
	return c.Do(ctx, http.MethodGet, key.Path, key.Version, nil)
}

func (c *Client) found(key Request, answer *retry.Answer) (*Secret, *failure.Failure) {
	decoded, err := Decode(answer.Body)
	if err != nil || decoded.Data == nil {
		return nil, failure.Newf(failure.Protocol, "the answer for %s is not one of Vault's: check that %s is a Vault, and that the path is one to read", failure.QuoteName(key.Path), c.address)
	}
	s, f := asSecret(decoded.Data)
	if f != nil {
		return nil, f.Under(key.Path)
	}
	s.Lease, _ = leaseOf(key, decoded)
	return s, nil
}

// notFound tells four cases of 404 apart: a deleted version of KV version 2, a path of KV version 2 without its
// "data" segment, nothing, and an answer of somebody who is no Vault (which must not pass for a missing secret).
func (c *Client) notFound(key Request, answer *retry.Answer, ignoreMissing bool) (*Secret, *failure.Failure) {
	decoded, err := Decode(answer.Body)
	if err != nil || decoded.Data == nil && decoded.Errors == nil && decoded.Warnings == nil {
		return nil, failure.Newf(failure.Protocol, "the answer for %s (404) is not one of Vault's: check that %s is a Vault", failure.QuoteName(key.Path), c.address)
	}
	if _, versioned := asKVVersion(decoded.Data); versioned {
		return c.found(key, answer)
	}
	hint := "check the path"
	if strings.Contains(strings.Join(decoded.Warnings, " "), "versioned K/V") {
		hint = "a secret of KV version 2 is read at MOUNT/data/NAME"
	}
	return missing(key, retry.StatusText(answer.Status, Errors(answer.Body)), hint, ignoreMissing)
}

func missing(key Request, status, hint string, ignore bool) (*Secret, *failure.Failure) {
	if ignore {
		return nil, nil
	}
	which := failure.QuoteName(key.Path)
	if key.Version != "" {
		which += " version " + key.Version
	}
	return nil, failure.Newf(failure.Missing, "Vault has no secret at %s (%s): %s", which, status, hint)
}
