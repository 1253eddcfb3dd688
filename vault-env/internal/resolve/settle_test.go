package resolve_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

// A start waits for as long as a revocation is retried, but a signal and a failed start do not.
func TestNobodyWaitsLongForARevocationThatHasFailed(t *testing.T) {
	signalled, signal := context.WithCancel(context.Background())
	signal()
	for name, c := range map[string]struct {
		settle func(*resolve.Resolution, *logging.Logger)
		again  bool // it is retried
	}{
		"a start":                {func(r *resolve.Resolution, log *logging.Logger) { r.Settle(context.Background(), log) }, true},
		"a signal":               {func(r *resolve.Resolution, log *logging.Logger) { r.Settle(signalled, log) }, false},
		"a failed start":         {func(r *resolve.Resolution, log *logging.Logger) { r.Abandon(vault.RevokeOwn, log) }, false},
		"the end of the program": {func(r *resolve.Resolution, log *logging.Logger) { r.Revoking().SettleSoon(log) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.KV1("kv/a", `{"k":"v"}`)
			later := fake.Status(503, `{"errors":["Vault is sealed"]}`, "Retry-After", "3")
			server.Handle(fake.RevocationRequest, fake.InTurn(later, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
			s := resolvetest.Settings(t, server)
			s.Revoke, s.Vault.Timeout = vault.RevokeOwn, time.Minute // a revocation is retried for 5 s
			var said bytes.Buffer
			log := &logging.Logger{Out: &said, Level: logging.Debug, Now: time.Now}
			r, f := resolve.Resolve(t.Context(), []string{"X=vault:kv/a#k"}, s, log)
			if f != nil {
				t.Fatal(f.Message)
			}
			c.settle(r, log)
			if again := strings.Count(strings.Join(server.Seen(), "\n"), fake.RevocationRequest) > 1; again != c.again {
				t.Errorf("retried: %v; want %v", again, c.again)
			}
			if warned := strings.Contains(said.String(), "warn: the token was not revoked ("); warned == c.again {
				t.Errorf("the log: %s", said.String())
			}
		})
	}
}

// A revocation that is unanswered is told as that, and not by the words of a context.
func TestARevocationThatIsGivenUpUnanswered(t *testing.T) {
	for _, request := range []string{fake.RevocationRequest, fake.LookupRequest} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.KV1("kv/a", `{"k":"v"}`)
			server.Handle(request, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			s := resolvetest.Settings(t, server)
			s.Revoke, s.Vault.Timeout = vault.RevokeOwn, time.Minute
			o := resolvetest.Abandon(t, s, "X=vault:kv/a#k")
			if o.Want(t, "X=v"); !strings.Contains(o.Log, "no response within 1") || strings.Contains(o.Log, "context") {
				t.Errorf("the log: %s", o.Log)
			}
		})
	}
}
