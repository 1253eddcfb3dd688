// Package resolve replaces the references in an environment with the secrets that they refer to, in three steps. The
// plan (plan.go) parses every reference and template and checks every path, so that no mistake costs a login. The
// answers (ask.go) are everything that Vault returns, requested at the same time. The builder (builder.go) puts them in
// place of the references, and decides which variables the program does not get. What came from Vault is never parsed.
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

// Resolution is what a program gets, and the leases behind it.
type Resolution struct {
	Environment []string
	Token       vault.Token
	HasToken    bool          // the program gets the token
	Leases      []vault.Lease // of secrets read with the token
	Client      *vault.Client // with an open connection; nil if Vault was not contacted
	Asked       time.Time     // when the first request was sent: leases start then or later
	answers     *answers
}

// Resolve returns what the program gets. It does not contact Vault if nothing refers to it.
func Resolve(ctx context.Context, env environment.Variables, s *settings.Settings, log *logging.Logger) (*Resolution, *failure.Failure) {
	p, f := newPlan(env, s)
	if f != nil {
		return nil, f
	}
	if len(p.text) > 0 {
		log.Warn(staysText(p.text))
	}
	r := &Resolution{answers: &answers{}, HasToken: p.login, Asked: time.Now()}
	if !p.nothing() {
		if s.RefuseExec && guard.StartedBefore("/proc", os.Getpid()) {
			return nil, failure.Newf(failure.Denied, "this is not the first process of the container (kubectl exec?), and the policy's refuseExec allows only that one to read secrets")
		}
		guard.ConcealMemory()
		guard.BoundHeap()
		if s.Vault.SkipVerify {
			log.Warn("VAULT_SKIP_VERIFY is true: anyone on the network path to Vault can read the token and the secrets")
		}
		if r.answers, f = ask(ctx, p, log); f != nil {
			return nil, f
		}
		if log.Debugs() {
			log.Debug(fmt.Sprintf("read %d paths and %d ciphertexts from %s in %s", len(p.reads), len(p.decrypts), s.Vault.Address, time.Since(r.Asked).Round(100*time.Microsecond)))
		}
	}
	r.Token, r.Leases, r.Client = r.answers.token, r.answers.leases, r.answers.client
	if r.Environment, f = p.environment(ctx, r.answers, log); f != nil {
		r.Abandon(s.Revoke, log)
		return nil, f
	}
	return r, nil
}

// TellLeases warns that nothing renews the leases of the secrets, once: the program is on its own with them.
func (r *Resolution) TellLeases(log *logging.Logger) {
	var first *vault.Lease
	for i := range r.Leases {
		if l := &r.Leases[i]; l.Duration > 0 && (first == nil || l.Duration < first.Duration) {
			first = l
		}
	}
	if first == nil {
		return
	}
	left := first.Duration
	if r.Token.Lease.Duration > 0 {
		left = min(left, r.Token.Lease.Duration) // the leases end with the token
	}
	what := "the lease of " + failure.QuoteName(first.Request.Path) + " expires"
	if more := len(r.Leases) - 1; more > 0 {
		what = fmt.Sprintf("the lease of %s (and %d more) expires", failure.QuoteName(first.Request.Path), more)
	}
	log.Warn(fmt.Sprintf("%s in %s, and nothing renews it in this mode: set process.mode to Daemon (VAULT_ENV_DAEMON=true)", what, left))
}

// Settle waits until the token is revoked, if it is not needed any more. From when the context ends, it waits for one more
// second at most. A failed revocation is a warning.
func (r *Resolution) Settle(ctx context.Context, log *logging.Logger) { r.Revoking().Settle(ctx, log) }

// Revoking returns the revocation in progress, or nil. It holds no secret.
func (r *Resolution) Revoking() *vault.Revoking { return r.answers.revoking }

// Abandon revokes the token and its leases if the program is not started after all.
func (r *Resolution) Abandon(revoke vault.Revocation, log *logging.Logger) {
	if r.Client != nil {
		r.answers.abandon(context.Background(), r.Client, revoke, log)
	}
}
