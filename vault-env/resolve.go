package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/guard"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// resolution is what a program gets, and what Vault has lent for it.
type resolution struct {
	environment []string
	token       vault.Token
	hasToken    bool          // the program gets the token
	leases      []vault.Lease // what was borrowed with the token
	client      *vault.Client // with a connection that is open; nil where Vault was not asked
	asked       time.Time     // leases count from here, or later
	answers     *answers
}

// resolve returns what the program gets; nobody is asked where nothing refers to Vault.
func resolve(ctx context.Context, env environment.Variables, s *settings.Settings, log *logging.Logger) (*resolution, *failure.Failure) {
	p, f := newPlan(env, s)
	if f != nil {
		return nil, f
	}
	r := &resolution{answers: &answers{}, hasToken: p.login, asked: time.Now()}
	if !p.nothing() {
		if s.RefuseExec && guard.StartedBefore("/proc", os.Getpid()) {
			return nil, failure.Newf(failure.Denied, "this is not the first process of the container (kubectl exec?), and the policy's refuseExec lets only that one read secrets")
		}
		guard.ConcealMemory()
		if s.Vault.SkipVerify {
			log.Warn("VAULT_SKIP_VERIFY is true: whoever is in between can read the token and the secrets")
		}
		if r.answers, f = ask(ctx, p, log); f != nil {
			return nil, f
		}
		if log.Debugs() {
			log.Debug(fmt.Sprintf("%d paths and %d ciphertexts, answered by %s in %s", len(p.reads), len(p.decrypts), s.Vault.Address, time.Since(r.asked).Round(100*time.Microsecond)))
		}
	}
	r.token, r.leases, r.client = r.answers.token, r.answers.leases, r.answers.client
	if r.environment, f = p.environment(r.answers, log); f != nil {
		r.abandon(s.Revoke, log)
		return nil, f
	}
	return r, nil
}

// settle waits until the request to revoke the token is written, if there is one.
func (r *resolution) settle(log *logging.Logger) { r.answers.settleToken(log) }

// abandon gives back what a program that is not started after all does not need.
func (r *resolution) abandon(revoke vault.Revocation, log *logging.Logger) {
	if r.client != nil {
		r.answers.abandon(context.Background(), r.client, revoke, log)
	}
}
