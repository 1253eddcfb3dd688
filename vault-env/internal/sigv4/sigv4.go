// Package sigv4 signs requests for AWS ("AWS API request signing" in the IAM User Guide). It does not get credentials
// or send requests, and is tested with AWS' own test suite.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Credentials are the credentials of an IAM principal. Token is empty for a user's long-lived credentials.
type Credentials struct {
	KeyID  string
	Secret string
	Token  string
}

// Request is a request to sign. Its URL has the path "/" and no query, so that it is already in canonical form.
type Request struct {
	Method  string
	Headers map[string]string // by lower-case name, including host; all are signed
	Body    string
}

// Sign returns the Authorization header of AWS' Signature Version 4, and adds the headers x-amz-date and
// x-amz-security-token to the request.
func (r *Request) Sign(c Credentials, region, service string, now time.Time) string {
	date := now.UTC().Format("20060102T150405Z")
	r.Headers["x-amz-date"] = date
	if c.Token != "" {
		r.Headers["x-amz-security-token"] = c.Token
	}
	canonical, signedHeaders := r.canonical()
	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSHA256(canonical)

	key := []byte("AWS4" + c.Secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	return "AWS4-HMAC-SHA256 Credential=" + c.KeyID + "/" + scope + ", SignedHeaders=" + signedHeaders +
		", Signature=" + hex.EncodeToString(hmacSHA256(key, toSign))
}

// canonical returns the canonical request and the names of its signed headers.
func (r *Request) canonical() (request, signedHeaders string) {
	names := make([]string, 0, len(r.Headers))
	for name := range r.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n\n")
	for _, name := range names {
		b.WriteString(name + ":" + strings.Join(strings.Fields(r.Headers[name]), " ") + "\n")
	}
	signedHeaders = strings.Join(names, ";")
	b.WriteString("\n" + signedHeaders + "\n" + hexSHA256(r.Body))
	return b.String(), signedHeaders
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
