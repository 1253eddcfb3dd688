package vault_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

// The requests of a revocation are sent as often as VAULT_MAX_RETRIES allows, like all others.
func TestARevocationMakesAsManyAttemptsAsAllowed(t *testing.T) {
	for what, lookups := range map[string]int{fake.LookupRequest: 2, fake.RevocationRequest: 1} {
		server := fake.NewVault(t)
		server.Says(what, 503, `{"errors":["Vault is sealed"]}`)
		s := resolvetest.Settings(t, server)
		s.Vault.Attempts = 2
		client := newClient(t, &s.Vault)
		client.Sleeps(func(ctx context.Context, _ time.Duration) bool { return len(server.Seen()) < 10 })
		reason, _ := client.Revoke(t.Context())
		if !strings.Contains(reason, "Vault is sealed") || !strings.Contains(reason, "VAULT_MAX_RETRIES") {
			t.Errorf("%s: reason %q", what, reason)
		}
		seen := strings.Join(server.Seen(), ", ")
		if strings.Count(seen, what) != 2 || strings.Count(seen, fake.LookupRequest) != lookups {
			t.Errorf("%s: %s", what, seen)
		}
	}
}

// Starts that were told the same Retry-After do not revoke their tokens in the same millisecond.
func TestTheRetryAfterOfARevocationIsSpread(t *testing.T) {
	server := fake.NewVault(t)
	server.Handle(fake.RevocationRequest, fake.Status(429, "", "Retry-After", "1"))
	s := resolvetest.Settings(t, server)
	client := newClient(t, &s.Vault)
	pauses, n := map[time.Duration]bool{}, 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	client.Sleeps(func(_ context.Context, pause time.Duration) bool {
		if pause < time.Second || pause > 2*time.Second {
			t.Errorf("a pause of %s", pause)
		}
		pauses[pause] = true
		n++
		return n < 8
	})
	client.Revoke(ctx)
	if len(pauses) < 2 {
		t.Errorf("pauses %v", pauses)
	}
}
