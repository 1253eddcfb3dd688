// Package resolve replaces the references in an environment by the secrets they refer to, in three steps. The plan
// (plan.go) parses every reference and template and checks every path, so that no mistake costs a login. The answers
// (ask.go) are all that Vault has to say, asked for at the same time. The builder (builder.go) puts them in place of
// the references, and decides which variables are kept from the program. What came from Vault is never parsed.
package resolve

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

// Resolution is what a program gets, and what Vault has lent for it.
type Resolution struct {
	Environment []string
	Token       vault.Token
	HasToken    bool          // the program gets the token
	Leases      []vault.Lease // what was borrowed with the token
	Client      *vault.Client // with a connection that is open; nil where Vault was not asked
	Asked       time.Time     // leases count from here, or later
	answers     *answers
}

// Resolve returns what the program gets; nobody is asked where nothing refers to Vault.
func Resolve(ctx context.Context, env environment.Variables, s *settings.Settings, log *logging.Logger) (*Resolution, *failure.Failure) {
	p, f := newPlan(env, s)
	if f != nil {
		return nil, f
	}
	r := &Resolution{answers: &answers{}, HasToken: p.login, Asked: time.Now()}
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
			log.Debug(fmt.Sprintf("%d paths and %d ciphertexts, answered by %s in %s", len(p.reads), len(p.decrypts), s.Vault.Address, time.Since(r.Asked).Round(100*time.Microsecond)))
		}
	}
	r.Token, r.Leases, r.Client = r.answers.token, r.answers.leases, r.answers.client
	if r.Environment, f = p.environment(r.answers, log); f != nil {
		r.Abandon(s.Revoke, log)
		return nil, f
	}
	return r, nil
}

// Settle waits until the request to revoke the token is written, if there is one.
func (r *Resolution) Settle(log *logging.Logger) { r.answers.settleToken(log) }

// Abandon gives back what a program that is not started after all does not need.
func (r *Resolution) Abandon(revoke vault.Revocation, log *logging.Logger) {
	if r.Client != nil {
		r.answers.abandon(context.Background(), r.Client, revoke, log)
	}
}
