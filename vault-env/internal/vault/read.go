package vault

import (
	"context"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// Read returns the secret in the answer to a read or a write, or nil if there is none and ignoreMissing is true.
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
			hint = "a write to this path returns nothing that a variable could hold"
		}
		return missing(key, "204", hint, ignoreMissing)
	}
	said := strings.ReplaceAll(Errors(answer.Body), c.Token, "…")
	if answer.Status == http.StatusForbidden {
		doing, capability := "reading", "read"
		if key.Write {
			doing, capability = "writing", "update"
		}
		return nil, failure.Newf(failure.Denied, `Vault denied %s %s (%s): grant "%s" on it in the role's policy%s`, doing, failure.QuoteName(key.Path), retry.StatusText(answer.Status, said), capability, unversionedHint(key))
	}
	if key.Write {
		return nil, Refused(answer.Status, "Vault refused to write %s (%s): check the path and the JSON of the reference", failure.QuoteName(key.Path), retry.StatusText(answer.Status, said))
	}
	return nil, Refused(answer.Status, "Vault refused to read %s (%s): check the path", failure.QuoteName(key.Path), retry.StatusText(answer.Status, said))
}

// unversionedHint returns what to try if a path may be that of a KV version 2 secret without its "data" segment: Vault
// then denies a path that nobody has thought of. It returns nothing for a path with a segment that KV paths do not have.
func unversionedHint(key Request) string {
	mount, name, nested := strings.Cut(key.Path, "/")
	if key.Write || !nested {
		return ""
	}
	for _, segment := range strings.Split(key.Path, "/") {
		switch segment {
		case "data", "metadata", "creds", "static-creds", "sts", "issue", "sign", "cert", "token", "lookup-self", "login", "sys", "auth", "identity", "cubbyhole":
			return ""
		}
	}
	return "; if " + failure.QuoteName(mount) + " is KV version 2, write " + failure.QuoteName(mount+"/data/"+name) + " in the reference"
}

// mayCreate returns whether a request may have an effect: every write, and every read whose path is not that of a KV
// version 2 secret (MOUNT/data/NAME). Other paths do not tell whether Vault creates credentials for each reading.
func mayCreate(key Request) bool {
	_, after, _ := strings.Cut(key.Path, "/data/")
	return key.Write || after == ""
}

func (c *Client) request(ctx context.Context, key Request) (*retry.Answer, *failure.Failure) {
	if mayCreate(key) {
		ctx = WithEffect(ctx)
	}
	if key.Write {
		return c.Do(ctx, http.MethodPut, key.Path, "", []byte(key.Body))
	}
	return c.Do(ctx, http.MethodGet, key.Path, key.Version, nil)
}

func (c *Client) found(key Request, answer *retry.Answer) (*Secret, *failure.Failure) {
	decoded, err := Decode(answer.Body)
	if err != nil || decoded.Data == nil {
		return nil, failure.Newf(failure.Protocol, "the response for %s is not from Vault%s: check that %s is a Vault server, and that the path can be read", failure.QuoteName(key.Path), kindUnless(err == nil, answer.Body), c.address)
	}
	s, f := asSecret(decoded.Data)
	if f != nil {
		return nil, f.Under(key.Path)
	}
	s.Lease, _ = leaseOf(key, decoded)
	return s, nil
}

// notFound distinguishes five cases of 404: a deleted version in KV version 2, a KV version 2 path without its "data"
// segment, a path at which nothing is mounted, no secret, and an answer that is not from Vault (which must not be
// mistaken for a missing secret).
func (c *Client) notFound(key Request, answer *retry.Answer, ignoreMissing bool) (*Secret, *failure.Failure) {
	decoded, err := Decode(answer.Body)
	if err != nil || decoded.Data == nil && decoded.Errors == nil && decoded.Warnings == nil {
		return nil, failure.Newf(failure.Protocol, "the response for %s (%s) is not from Vault: check that %s is a Vault server", failure.QuoteName(key.Path), named(answer), c.address)
	}
	if _, versioned := asKVVersion(decoded.Data); versioned {
		return c.found(key, answer)
	}
	status := retry.StatusText(answer.Status, Errors(answer.Body))
	// That there is no secret at such a path says nothing about the secret that was meant.
	switch {
	case strings.Contains(strings.Join(decoded.Warnings, " "), "versioned K/V"):
		return missing(key, status, "a KV version 2 secret is read at MOUNT/data/NAME", false)
	case strings.Contains(status, "no handler for route"):
		return missing(key, status, "no secrets engine is mounted there: check the path, and the Vault namespace", false)
	}
	return missing(key, status, "check the path", ignoreMissing)
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
