package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// awsCredentials are those of an IAM principal. The token is empty for a user's long-lived ones.
type awsCredentials struct {
	keyID  string
	secret string
	token  string
}

// awsRequest is a request to sign. Its URL has the path "/" and no query, so that it is in canonical form already.
type awsRequest struct {
	method  string
	headers map[string]string // by lower-case name, host among them; each is signed
	body    string
}

// sign gives the Authorization header of AWS' Signature Version 4 ("AWS API request signing" in the IAM User Guide),
// and adds the headers x-amz-date and x-amz-security-token to the request.
func (r *awsRequest) sign(c awsCredentials, region, service string, now time.Time) string {
	date := now.UTC().Format("20060102T150405Z")
	r.headers["x-amz-date"] = date
	if c.token != "" {
		r.headers["x-amz-security-token"] = c.token
	}
	canonical, signedHeaders := r.canonical()
	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSHA256(canonical)

	key := []byte("AWS4" + c.secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	return "AWS4-HMAC-SHA256 Credential=" + c.keyID + "/" + scope + ", SignedHeaders=" + signedHeaders +
		", Signature=" + hex.EncodeToString(hmacSHA256(key, toSign))
}

// canonical gives the request in the form that is signed, and the names of its headers.
func (r *awsRequest) canonical() (request, signedHeaders string) {
	names := make([]string, 0, len(r.headers))
	for name := range r.headers {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(r.method + "\n/\n\n")
	for _, name := range names {
		b.WriteString(name + ":" + strings.Join(strings.Fields(r.headers[name]), " ") + "\n")
	}
	signedHeaders = strings.Join(names, ";")
	b.WriteString("\n" + signedHeaders + "\n" + hexSHA256(r.body))
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
