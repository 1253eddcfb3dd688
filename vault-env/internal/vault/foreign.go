package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// NotVaults returns the failure for an answer that refuses a request, and that is not Vault's: Vault refuses with a JSON
// object that has errors (or data and warnings, if there is no secret). Proxies, load balancers and firewalls refuse
// with pages, and their word must not be taken for Vault's. For all other answers, it returns nil.
func (c *Client) NotVaults(a *retry.Answer) *failure.Failure {
	if a.Status < 400 || IsVaults(a.Body) {
		return nil
	}
	if strings.HasPrefix(c.address, "http:") && wantsTLS(a) {
		return c.plainToTLS()
	}
	return failure.Newf(failure.Protocol, "the response from %s (%s) is not from Vault: check the address, and what the proxy or load balancer in front of Vault allows", c.where, named(a))
}

func (c *Client) plainToTLS() *failure.Failure {
	return failure.Newf(failure.Unavailable, "%s expects TLS: check the scheme, which should be https, and the port", c.address)
}

// IsVaults returns whether a body is like those of Vault, whatever the status.
func IsVaults(body []byte) bool {
	decoded, err := Decode(body)
	return err == nil && (decoded.Data != nil || decoded.Errors != nil || decoded.Warnings != nil || decoded.Auth != nil)
}

// wantsTLS returns whether a server says that it was spoken to without TLS: Go's server (Vault's own), nginx and Apache
// say so with this status, each in its own words.
func wantsTLS(a *retry.Answer) bool {
	if a.Status != http.StatusBadRequest {
		return false
	}
	said := strings.ToLower(string(a.Body[:min(len(a.Body), 4096)]))
	for _, words := range []string{"http request to an https server", "http request was sent to https port", "speaking plain http to an ssl-enabled server"} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}

// named returns an answer's status and what kind of text came with it. It never quotes the text.
func named(a *retry.Answer) string {
	status := fmt.Sprint(a.Status)
	if text := http.StatusText(a.Status); text != "" {
		status += " " + text
	}
	return status + ", " + Kind(a.Body)
}

// Kind returns what a body is, for messages about answers that are not Vault's.
func Kind(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return "an empty body"
	case text[0] == '<':
		return "an HTML page"
	case json.Valid(text):
		return "JSON that is not Vault's"
	}
	return "text that is not JSON"
}

// kindUnless returns the kind of a body in parentheses, unless it is known to be JSON.
func kindUnless(isJSON bool, body []byte) string {
	if isJSON {
		return ""
	}
	return " (" + Kind(body) + ")"
}
