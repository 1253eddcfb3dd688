package vault

import (
	"encoding/json"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
)

// No answer of the transit engine, however malformed, breaks decryption or gives one variable the plaintext of another.
func FuzzTransitAnswer(f *testing.F) {
	for _, body := range []string{
		`{"data":{"batch_results":[{"plaintext":"YQ=="},{"plaintext":""}]}}`, `{"data":{"batch_results":[{"plaintext":"YQ=="},{"error":"invalid ciphertext"}]}}`,
		`{"data":{"batch_results":[{"plaintext":"YQ=="}]}}`, `{"data":{"batch_results":[null,7]}}`, `{"data":{"batch_results":{}}}`, `{"data":{"plaintext":"YQ=="}}`,
		`{"errors":["encryption key not found"]}`, `{"errors":["permission denied"]}`, `{"data":{"batch_results":[{"plaintext":7},{"plaintext":"*"}]}}`, "<html>", "", "null",
	} {
		for _, status := range []int{200, 204, 307, 400, 403, 404} {
			f.Add(status, []byte(body), false)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, ignoreMissing bool) {
		if status < 200 || status > 499 {
			return
		}
		c := &Client{address: "https://vault", Token: "hvs.token", log: &logging.Logger{Level: logging.Error}}
		key := Transit{KeyID: "shop", MountPath: "transit", BatchSize: 25}
		d := c.Decryptions(key, []string{"vault:v1:a", "vault:v1:b"}, ignoreMissing, func([]string) string { return "A" })[0]
		fail := d.take("transit/decrypt/shop", &retry.Answer{Status: status, Body: body})
		if fail != nil {
			if failure.OneLine(fail.Message) != fail.Message || len(fail.Message) > 1000 {
				t.Fatalf("%q: %q", body, fail.Message)
			}
			return
		}
		if len(d.Plaintexts) < 2 && !ignoreMissing {
			t.Fatalf("%d %q: %q without a failure", status, body, d.Plaintexts)
		}
		if len(d.Plaintexts) > 0 && !json.Valid(body) {
			t.Fatalf("%q is not JSON, but %q", body, d.Plaintexts)
		}
	})
}
