// Package resolvetest resolves environments with a fake Vault, for the tests of several packages.
package resolvetest

import (
	"bytes"
	"strings"
	"sync"
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

// Settings returns the settings of a policy for this Vault, with some parts replaced.
func Settings(t *testing.T, f *fake.Vault, change ...func(fake.Fields)) *settings.Settings {
	t.Helper()
	s, failed := settings.Load(environment.Variables{f.Settings(t, change...)})
	if failed != nil {
		t.Fatal(failed)
	}
	s.Revoke = vault.RevokeNever // the revocation comes after the environment is complete, and would disturb tests that count requests
	return &s
}

// Defaults returns the default settings, for a Vault that does not exist.
func Defaults(t testing.TB) *settings.Settings {
	t.Helper()
	s, failed := settings.Load(environment.Variables{environment.ConfigVariable + `={"vault":{"address":"https://127.0.0.1:1","auth":{"role":"shop"}}}`})
	if failed != nil {
		t.Fatal(failed)
	}
	return &s
}

// WithAuth replaces vault.auth.
func WithAuth(auth fake.Fields) func(fake.Fields) {
	return func(c fake.Fields) { c["vault"].(fake.Fields)["auth"] = auth }
}

// WithTransit returns a Vault that decrypts, and settings for it.
func WithTransit(t *testing.T) (*fake.Vault, *fake.Transit, *settings.Settings) {
	vault, transit := fake.NewVault(t), &fake.Transit{}
	vault.Handle(fake.DecryptPath, transit.Decrypt)
	s := Settings(t, vault)
	s.Transit.KeyID = "shop"
	return vault, transit, s
}

// written is a log that requests at the same time write to, as they may to standard error.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Outcome is the result of one resolution.
type Outcome struct {
	Env     []string
	Failure *failure.Failure
	Log     string
}

// Resolve resolves an environment. It fails the test if the log or the failure contains a secret.
func Resolve(t *testing.T, s *settings.Settings, env ...string) Outcome {
	t.Helper()
	return resolved(t, s, env, func(r *resolve.Resolution, log *logging.Logger) { r.Settle(t.Context(), log) }) // as wrap does
}

// Abandon resolves an environment for a program that then cannot be started.
func Abandon(t *testing.T, s *settings.Settings, env ...string) Outcome {
	t.Helper()
	return resolved(t, s, env, func(r *resolve.Resolution, log *logging.Logger) { r.Abandon(s.Revoke, log) })
}

func resolved(t *testing.T, s *settings.Settings, env []string, then func(*resolve.Resolution, *logging.Logger)) Outcome {
	t.Helper()
	var b written
	log := &logging.Logger{Out: &b, Level: logging.Debug, Now: time.Now}
	o := Outcome{}
	r, f := resolve.Resolve(t.Context(), env, s, log)
	if o.Failure = f; f == nil {
		o.Env = r.Environment
		then(r, log)
	}
	o.Log = b.String()
	said := o.Log
	if f != nil {
		said += f.Message
	}
	for _, secret := range []string{fake.Token, fake.JWT, "c2lnbmF0dXJl", "hunter2"} {
		if strings.Contains(said, secret) {
			t.Errorf("a secret is printed: %s", said)
		}
	}
	return o
}

// Want fails the test unless the program gets an environment.
func (o Outcome) Want(t *testing.T, env ...string) {
	t.Helper()
	if o.Failure != nil {
		t.Fatalf("failed with %d: %s", o.Failure.Status, o.Failure.Message)
	}
	if got, want := strings.Join(o.Env, "\n"), strings.Join(env, "\n"); got != want {
		t.Errorf("environment\n got %q\nwant %q", o.Env, env)
	}
}

// WantFailure fails the test unless there is a failure with the status, whose message contains all of the parts.
func (o Outcome) WantFailure(t *testing.T, status int, parts ...string) {
	t.Helper()
	if o.Failure == nil {
		t.Fatalf("no failure, but %q", o.Env)
	}
	failuretest.Want(t, o.Failure, status, parts...)
}
