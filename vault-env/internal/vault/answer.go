package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// Body is the part of Vault's answers that vault-env reads.
type Body struct {
	Data     map[string]any `json:"data"`
	Errors   []string       `json:"errors"`
	Warnings []string       `json:"warnings"`
	Auth     *Auth          `json:"auth"`

	LeaseID       string `json:"lease_id"`
	LeaseDuration int64  `json:"lease_duration"` // in seconds
	Renewable     bool   `json:"renewable"`
}

// Auth is the token in the answer to a login.
type Auth struct {
	ClientToken   string `json:"client_token"`
	LeaseDuration int64  `json:"lease_duration"` // in seconds
	Renewable     bool   `json:"renewable"`
	NumUses       *int64 `json:"num_uses"` // 0: not limited; nil: a Vault that does not say
}

// Decode decodes an answer, which must be one JSON object and nothing else. Numbers stay as they are written: a port is
// not 5432e0.
func Decode(body []byte) (*Body, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var a *Body
	if err := decoder.Decode(&a); err != nil {
		return nil, err
	}
	if a == nil {
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("data after the response")
	}
	return a, nil
}

// Errors returns the messages in the body of an error, shortened and without the secrets. It returns nothing for bodies
// that are not from Vault.
func Errors(body []byte, secrets ...string) string {
	a, err := Decode(body)
	if err != nil {
		return ""
	}
	return retry.Quoted(strings.Join(a.Errors, "; "), secrets...)
}

// Describe returns briefly why there was no final answer, without the request's URL or anything secret.
func Describe(a *retry.Answer, err error, secrets ...string) string {
	if err != nil {
		return retry.Reason(err)
	}
	if a.Elsewhere != "" {
		return strconv.Itoa(a.Status) + ", a redirect to " + retry.Quoted(a.Elsewhere, secrets...) + ", which is not followed: only to the same host, not from https to http, and not in circles"
	}
	if len(a.Body) > 0 && !IsVaults(a.Body) {
		return named(a) + ", not from Vault"
	}
	reason := strings.TrimSpace(strconv.Itoa(a.Status) + " " + http.StatusText(a.Status))
	if text := Errors(a.Body, secrets...); text != "" {
		reason += ": " + text
	}
	return reason
}

// Refused returns the failure for a final status of 300 and above.
func Refused(status int, format string, args ...any) *failure.Failure {
	switch {
	case status == http.StatusNotFound:
		return failure.Newf(failure.Missing, format, args...)
	case status >= 400:
		return failure.Newf(failure.Denied, format, args...)
	}
	return failure.Newf(failure.Protocol, format, args...)
}
