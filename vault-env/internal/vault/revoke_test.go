package vault_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
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

// At Vault's rate limit, each request of a revocation would take the place of one that another start waits for.
func TestARevocationLeavesARateLimitToStarts(t *testing.T) {
	unlimited := vault.Token{Unlimited: true}
	limited := func(t *testing.T) (*fake.Vault, *vault.Client) {
		server := fake.NewVault(t)
		server.Handle("GET kv/a", fake.InTurn(fake.Status(429, ""), fake.Status(200, `{"data":{"k":"v"}}`)))
		s := resolvetest.Settings(t, server)
		client := newClient(t, &s.Vault)
		client.SpeaksHTTP2(true)
		if a, f := client.Do(t.Context(), "GET", "kv/a", "", nil); f != nil || a.Status != 200 {
			t.Fatal(a, f)
		}
		return server, client
	}
	// revoked is what is said when the start has an hour left.
	revoked := func(t *testing.T, client *vault.Client, identity *vault.Identity) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var said bytes.Buffer
		client.BeginRevocation(ctx, unlimited, identity).Settle(t.Context(), &logging.Logger{Out: &said, Level: logging.Warn})
		return said.String()
	}
	sent := func(server *fake.Vault) string {
		return strings.Join(slices.DeleteFunc(server.Seen(), func(s string) bool { return s == "GET kv/a" }), ", ")
	}
	t.Run("it comes after a pause", func(t *testing.T) {
		server, client := limited(t)
		if client.Identify(t.Context(), unlimited) != nil {
			t.Error("the token is looked up at once")
		}
		client.Sleeps(func(_ context.Context, pause time.Duration) bool {
			if pause < time.Second || pause > 2*time.Second || sent(server) != "" {
				t.Errorf("a pause of %s after %q", pause, sent(server))
			}
			return true
		})
		if said := revoked(t, client, nil); said != "" || sent(server) != fake.LookupRequest+", "+fake.RevocationRequest {
			t.Errorf("%q, %s", said, sent(server))
		}
	})
	t.Run("it does not come if there is no time for the pause", func(t *testing.T) {
		server, client := limited(t)
		client.Sleeps(func(context.Context, time.Duration) bool { return false })
		if said := revoked(t, client, nil); !strings.Contains(said, "rate limit") || sent(server) != "" {
			t.Errorf("%q, %s", said, sent(server))
		}
	})
	t.Run("it comes at once when the limit is long ago", func(t *testing.T) {
		_, client := limited(t)
		client.Clock(func() time.Time { return time.Now().Add(5 * time.Second) })
		client.Sleeps(func(_ context.Context, pause time.Duration) bool {
			t.Errorf("a pause of %s", pause)
			return true
		})
		if said := revoked(t, client, nil); said != "" {
			t.Error(said)
		}
	})
	t.Run("it comes at once after a failed start, which has only a second", func(t *testing.T) {
		server, client := limited(t)
		client.Sleeps(func(_ context.Context, pause time.Duration) bool {
			t.Errorf("a pause of %s", pause)
			return true
		})
		client.RevokeNow(t.Context(), unlimited, nil)
		if want := fake.LookupRequest + ", " + fake.RevocationRequest; sent(server) != want {
			t.Error(sent(server))
		}
	})
	t.Run("a look-up above the limit is repeated when all is read", func(t *testing.T) {
		server := fake.NewVault(t)
		server.Handle(fake.LookupRequest, fake.InTurn(fake.Status(429, ""), fake.Status(200, fake.LookedUp(fake.Token))))
		s := resolvetest.Settings(t, server)
		client := newClient(t, &s.Vault)
		client.SpeaksHTTP2(true)
		identity := client.Identify(t.Context(), unlimited)
		for !client.AtLimit() {
			time.Sleep(time.Millisecond)
		}
		asleep := false
		client.Sleeps(func(context.Context, time.Duration) bool {
			asleep = true
			if seen := server.Seen(); len(seen) != 1 {
				t.Errorf("%v", seen)
			}
			return true
		})
		if said := revoked(t, client, identity); said != "" {
			t.Error(said)
		}
		want := []string{fake.LookupRequest, fake.LookupRequest, fake.RevocationRequest}
		if seen := server.Seen(); !asleep || !slices.Equal(seen, want) {
			t.Errorf("paused: %v, %v", asleep, seen)
		}
	})
}
