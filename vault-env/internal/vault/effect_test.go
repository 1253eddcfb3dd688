package vault_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

// A request that may have created something is sent again only after a long silence; a login that was sent, and whose
// answer nobody has read, is told.
func TestSilenceAndRequestsWithAnEffect(t *testing.T) {
	const told = "warn: a login went unanswered: if Vault completed it, its token is valid until its TTL ends"
	for request, c := range map[string]struct {
		env  string
		long bool
	}{
		"POST auth/kubernetes/login":    {"X=vault:kv/data/a#k", true},
		"PUT pki/issue/shop":            {`X=>>vault:pki/issue/shop#k#{"common_name":"a"}`, true},
		"GET database/creds/shop":       {"X=vault:database/creds/shop#k", true},
		"GET database/creds/data":       {"X=vault:database/creds/data#k", true},
		"GET kv/a":                      {"X=vault:kv/a#k", true}, // its path does not say what it is
		"GET kv/data/a":                 {"X=vault:kv/data/a#k", false},
		"GET nested/mount/data/a/b":     {"X=vault:nested/mount/data/a/b#k", false},
		"PUT transit/decrypt/something": {"X=vault:v1:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", false},
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.KV2("kv/data/a", `{"k":"v"}`)
			var once sync.Once
			server.Handle(request, func(w http.ResponseWriter, r *http.Request) {
				silent := false
				if once.Do(func() { silent = true }); silent {
					mute(w, r)
					return
				}
				fake.Status(403, `{"errors":["permission denied"]}`)(w, r)
			})
			s := resolvetest.Settings(t, server)
			s.Transit = vault.Transit{KeyID: "something", MountPath: "transit", BatchSize: 1}
			s.Vault.Timeout = 9 * time.Second // a quarter is 2.25 s, two thirds are 6 s; less if the machine is busy
			o := resolvetest.Resolve(t, s, c.env)
			_, after, silent := strings.Cut(o.Log, "no response within ")
			limit, _ := time.ParseDuration(strings.Split(after, ",")[0]) // "…, retrying"
			if long := limit > 3*time.Second; !silent || long != c.long {
				t.Errorf("long: %v; the log: %s", long, o.Log)
			}
			if got, want := strings.Count(o.Log, told), strings.Count(request, "login"); got != want {
				t.Errorf("%d warnings; want %d: %s", got, want, o.Log)
			}
		})
	}
}

// A login whose connection breaks may have been completed, and a proxy's timeout says nothing about it either. One that
// Vault answers, or that was never sent, has left nothing.
func TestALoginThatWentUnanswered(t *testing.T) {
	const request, told = "POST auth/kubernetes/login", "warn: a login went unanswered"
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   int
	}{
		"reset":                  {fake.Reset, 1},
		"truncated":              {fake.Truncated, 1},
		"a proxy's timeout":      {fake.Status(504, "<html>"), 1},
		"sealed":                 {fake.Status(503, `{"errors":["Vault is sealed"]}`), 0},
		"no server":              {fake.Status(503, "<html>"), 0},
		"a refusal":              {fake.Status(400, `{"errors":["invalid role"]}`), 0},
		"a timeout inside Vault": {fake.Status(504, `{"errors":["context deadline exceeded"]}`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.KV1("kv/a", `{"k":"v"}`)
			server.Handle(request, fake.InTurn(c.answer, c.answer, server.Login)) // told once
			s := resolvetest.Settings(t, server)
			s.Vault.Timeout = 30 * time.Second
			o := resolvetest.Resolve(t, s, "X=vault:kv/a#k")
			if got := strings.Count(o.Log, told); got != c.want {
				t.Errorf("%d warnings; want %d: %s", got, c.want, o.Log)
			}
		})
	}
}
