package vault

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
)

// No answer, however malformed, breaks decoding, and only secrets are accepted as secrets.
func FuzzDecodeAnswer(f *testing.F) {
	for _, body := range []string{
		fake.KV2Answer(`{"k":"v","n":5432,"o":{"a":[1,null,true]}}`, `"deletion_time":"","destroyed":false`),
		fake.KV2Answer("null", `"deletion_time":"2026-02-03T04:05:06Z","destroyed":false`),
		fake.KV2Answer("null", `"deletion_time":"","destroyed":true`),
		`{"data":{"data":"mine","metadata":{"version":1}}}`,
		`{"data":{"k":"v"},"lease_duration":2764800}`,
		`{"errors":["permission denied"]}`, `{"errors":null,"warnings":["Invalid path for a versioned K/V secrets engine"]}`,
		`{"auth":{"client_token":"t"}}`, `{"data":[]}`, `{"data":{"k":1e400}}`, `{"data":{"k":"\ud800"}}`, "null", "", "[]", `{}{}`,
	} {
		f.Add([]byte(body))
	}
	c := &Client{address: "https://vault", log: &logging.Logger{Level: logging.Error}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, ask := range []func() (*Secret, *failure.Failure){
			func() (*Secret, *failure.Failure) {
				return c.found(Request{Path: "p"}, &retry.Answer{Status: 200, Body: body})
			},
			func() (*Secret, *failure.Failure) {
				return c.notFound(Request{Path: "p"}, &retry.Answer{Status: 404, Body: body}, false)
			},
		} {
			s, fail := ask()
			if (s == nil) == (fail == nil) {
				t.Fatalf("%q: secret %v, failure %v", body, s, fail)
			}
			if fail != nil {
				continue
			}
			if !json.Valid(body) {
				t.Fatalf("%q is not JSON, but %v", body, s.Data)
			}
			for _, key := range s.Keys() {
				if text, f := s.Text(key); f == nil && !utf8.ValidString(text) {
					t.Fatalf("%q: %q is not a string", body, text)
				}
			}
		}
		if said := Errors(body); strings.ContainsAny(said, "\n\r") || len(said) > 210 {
			t.Fatalf("%q is printed as %q", body, said)
		}
	})
}
