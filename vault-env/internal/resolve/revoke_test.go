package resolve_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

func TestTheTokenIsRevoked(t *testing.T) {
	given := func(s *settings.Settings) { s.Login.Token = fake.Token }
	never := func(s *settings.Settings) { s.Revoke = vault.RevokeNever }
	any := func(s *settings.Settings) { s.Revoke = vault.RevokeAny }
	batch := fake.Status(200, `{"auth":{"client_token":"hvb.AAAA","lease_duration":600}}`)
	for name, c := range map[string]struct {
		env    string
		login  func(http.ResponseWriter, *http.Request)
		change []func(*settings.Settings)
		status int
		want   bool
	}{
		"when all is read":                          {env: "X=vault:kv/a#k", want: true},
		"not if the settings forbid it":             {env: "X=vault:kv/a#k", change: []func(*settings.Settings){never}},
		"not if it was given":                       {env: "X=vault:kv/a#k", change: []func(*settings.Settings){given}},
		"even a given one, if requested":            {env: "X=vault:kv/a#k", change: []func(*settings.Settings){given, any}, want: true},
		"not if the program gets it":                {env: "VAULT_TOKEN=vault:login"},
		"not if a lease depends on it":              {env: "X=vault:database/creds/a#username"},
		"not even then if requested":                {env: "X=vault:database/creds/a#username", change: []func(*settings.Settings){any}},
		"not if it is a batch token":                {env: "X=vault:kv/a#k", login: batch, status: failure.Denied},
		"when a read has failed":                    {env: "X=vault:kv/absent#k", status: failure.Missing, want: true},
		"when a value cannot be used":               {env: "X=vault:kv/a#object", status: failure.Data, want: true},
		"when a start fails, with its leases":       {env: "X=vault:database/creds/a#absent", status: failure.Missing, want: true},
		"even if the program was to get it":         {env: "VAULT_TOKEN=vault:login\nX=vault:kv/absent#k", status: failure.Missing, want: true},
		"not when a start fails with a given one":   {env: "X=vault:kv/absent#k", change: []func(*settings.Settings){given, any}, status: failure.Missing},
		"not when a start fails and it's forbidden": {env: "X=vault:kv/absent#k", change: []func(*settings.Settings){never}, status: failure.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, engine := fake.NewVault(t), &fake.Engine{}
			server.KV1("kv/a", `{"k":"v","object":{}}`)
			server.Handle("GET database/creds/a", engine.Lend)
			server.Says(fake.RevocationRequest, 204, "")
			if c.login != nil {
				server.Handle("POST auth/kubernetes/login", c.login)
			}
			s := resolvetest.Settings(t, server)
			s.Revoke = vault.RevokeOwn
			for _, change := range c.change {
				change(s)
			}
			o := resolvetest.Resolve(t, s, strings.Split(c.env, "\n")...)
			if c.status != 0 {
				o.WantFailure(t, c.status)
			} else if o.Failure != nil {
				t.Fatal(o.Failure.Message)
			}
			said := strings.Contains(o.Log, "revoking the token") || strings.Contains(o.Log, "the token was revoked")
			if said != c.want {
				t.Errorf("the log: %s", o.Log)
			}
			if c.want && !server.Revoked() {
				t.Errorf("requests %v", server.Seen())
			}
			if !c.want && slices.Contains(server.Seen(), fake.RevocationRequest) {
				t.Error("it is revoked")
			}
		})
	}
}

func TestRevocationDoesNotDelayTheStart(t *testing.T) {
	server := fake.NewVault(t)
	server.KV1("kv/a", `{"k":"v"}`)
	release := make(chan struct{})
	defer close(release)
	server.Handle(fake.RevocationRequest, func(http.ResponseWriter, *http.Request) { <-release })
	s := resolvetest.Settings(t, server)
	s.Revoke = vault.RevokeOwn
	resolvetest.Resolve(t, s, "X=vault:kv/a#k").Want(t, "X=v") // although there is no answer
	if !server.Revoked() {
		t.Errorf("requests %v", server.Seen())
	}
}

func TestAFailedRevocationChangesNothing(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"denied": fake.Status(403, `{"errors":["permission denied"]}`), "sealed": fake.Status(503, `{"errors":["Vault is sealed"]}`), "reset": fake.Reset, "truncated": fake.Truncated,
		"an answer that is not from Vault": fake.Status(200, "<html>"), "a redirect": fake.Status(307, "", "Location", "https://elsewhere.invalid/"),
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.KV1("kv/a", `{"k":"v"}`)
			server.Handle(fake.RevocationRequest, answer)
			s := resolvetest.Settings(t, server)
			s.Revoke = vault.RevokeOwn
			resolvetest.Resolve(t, s, "X=vault:kv/a#k").Want(t, "X=v")
			resolvetest.Resolve(t, s, "X=vault:kv/absent#k").WantFailure(t, failure.Missing, "kv/absent")
		})
	}
	t.Run("no answer", func(t *testing.T) {
		server := fake.NewVault(t)
		server.Handle(fake.RevocationRequest, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		s := resolvetest.Settings(t, server)
		s.Revoke, s.Vault.Timeout = vault.RevokeOwn, 300*time.Millisecond
		start := time.Now()
		resolvetest.Resolve(t, s, "X=vault:kv/absent#k").WantFailure(t, failure.Missing, "kv/absent")
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("the failure took %s", took)
		}
	})
}
