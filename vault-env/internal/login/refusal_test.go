package login_test

import (
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

// Only what Vault says refuses a login: a load balancer has internal errors, too.
func TestAnInternalErrorThatIsNotVaults(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a page": "<html>", "nothing": "", "other JSON": `{"message":"upstream"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Says("POST auth/kubernetes/login", 500, body)
			s := resolvetest.Settings(t, server)
			s.Vault.Timeout = 3 * time.Second
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "was not available in time (500 Internal Server Error")
		})
	}
}

// The advice for a refusal is the same when the number of attempts ends it as when the time does.
func TestARefusalAfterTheLastAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		body string
		says string
	}{
		"no permission": {403, `{"errors":["permission denied"]}`,
			"(403: permission denied; VAULT_MAX_RETRIES allows no other attempt): check that the auth method is mounted at auth/kubernetes, and that Vault may review tokens"},
		"another 403": {403, `{"errors":["namespace not authorized"]}`, "(403: namespace not authorized; VAULT_MAX_RETRIES allows no other attempt): check the role"},
		"an unset method": {500, `{"errors":["could not load backend configuration"]}`,
			"(500 Internal Server Error: could not load backend configuration; VAULT_MAX_RETRIES allows no other attempt): configure the auth method"},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.Says("POST auth/kubernetes/login", c.code, c.body)
			s := resolvetest.Settings(t, server)
			s.Vault.Attempts, s.Vault.Timeout = 1, 30*time.Second
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, c.says)
		})
	}
}
