package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/failuretest"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// settingsFor are those of a policy for this Vault, with some parts replaced.
func settingsFor(t *testing.T, f *fake.Vault, change ...func(fake.Fields)) *settings.Settings {
	t.Helper()
	s, failed := settings.Load(environment.Variables{f.Settings(t, change...)})
	if failed != nil {
		t.Fatal(failed)
	}
	s.Revoke = vault.RevokeNever // it is asked for after the environment is there, and would disturb who counts requests
	return &s
}

// plainSettings are the defaults, for a Vault that is not there.
func plainSettings(t testing.TB) *settings.Settings {
	t.Helper()
	s, failed := settings.Load(environment.Variables{environment.ConfigVariable + `={"vault":{"address":"https://127.0.0.1:1","auth":{"role":"shop"}}}`})
	if failed != nil {
		t.Fatal(failed)
	}
	return &s
}

// withAuth replaces vault.auth.
func withAuth(auth fake.Fields) func(fake.Fields) {
	return func(c fake.Fields) { c["vault"].(fake.Fields)["auth"] = auth }
}

// withTransit returns a Vault that decrypts, and settings for it.
func withTransit(t *testing.T) (*fake.Vault, *fake.Transit, *settings.Settings) {
	vault, transit := fake.NewVault(t), &fake.Transit{}
	vault.Handle(fake.DecryptPath, transit.Decrypt)
	s := settingsFor(t, vault)
	s.Transit.KeyID = "shop"
	return vault, transit, s
}

// outcome is what one run of resolve gave.
type outcome struct {
	env     []string
	failure *failure.Failure
	log     string
}

func resolveWith(t *testing.T, s *settings.Settings, env ...string) outcome {
	t.Helper()
	var b bytes.Buffer
	log := &logging.Logger{Out: &b, Level: logging.Debug, Now: time.Now}
	o := outcome{}
	r, f := resolve.Resolve(t.Context(), env, s, log)
	if o.failure = f; f == nil {
		o.env = r.Environment
		r.Settle(log) // as wrap does
	}
	o.log = b.String()
	said := o.log
	if f != nil {
		said += f.Message
	}
	for _, secret := range []string{fake.Token, fake.JWT, "c2lnbmF0dXJl", "hunter2"} {
		if strings.Contains(said, secret) {
			t.Errorf("a secret is said: %s", said)
		}
	}
	return o
}

func (o outcome) want(t *testing.T, env ...string) {
	t.Helper()
	if o.failure != nil {
		t.Fatalf("failed with %d: %s", o.failure.Status, o.failure.Message)
	}
	if got, want := strings.Join(o.env, "\n"), strings.Join(env, "\n"); got != want {
		t.Errorf("environment\n got %q\nwant %q", o.env, env)
	}
}

func (o outcome) wantFailure(t *testing.T, status int, parts ...string) {
	t.Helper()
	if o.failure == nil {
		t.Fatalf("no failure, but %q", o.env)
	}
	failuretest.Want(t, o.failure, status, parts...)
}
