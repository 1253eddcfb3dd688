package resolve

import (
	"context"
	"maps"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/vault"
)

// ask returns Vault's answers to the plan: one token, then every path and every ciphertext once.
func ask(ctx context.Context, p *plan, log *logging.Logger) (*answers, *failure.Failure) {
	v := &p.settings.Vault
	a := &answers{}
	var f *failure.Failure
	if a.token.Value, f = login.Given(&p.settings.Login); f != nil {
		return nil, f
	}
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	c, f := vault.NewClient(v, a.token.Value != "", log)
	if f != nil {
		return nil, f
	}
	if a.token.Value == "" {
		if a.token, f = login.Login(ctx, c, &p.settings.Login, v, log); f != nil {
			return nil, f
		}
	}
	if failure.OneLine(a.token.Value) != a.token.Value { // it goes into a header
		return nil, failure.Newf(failure.Settings, "the Vault token is malformed: it contains a control character")
	}
	c.Token = a.token.Value
	if a.token.Revocable(p.settings.Revoke) && !p.login {
		a.identity = c.Identify(ctx, a.token)
	}
	c.LimitAnswers(true)
	if f := a.getAll(ctx, c, p); f != nil {
		c.LimitAnswers(false)
		a.abandon(ctx, c, p.settings.Revoke, log)
		return nil, f
	}
	c.LimitAnswers(false)
	a.endToken(ctx, c, p, log)
	a.client = c
	return a, nil
}

// getAll requests the plan's secrets and plaintexts, all at the same time.
func (a *answers) getAll(ctx context.Context, c *vault.Client, p *plan) *failure.Failure {
	secrets := make([]*vault.Secret, len(p.reads))
	decrypts := c.Decryptions(p.settings.Transit, p.decrypts, p.settings.IgnoreMissing, p.wanted)
	jobs := make([]vault.Job, 0, len(p.reads)+len(decrypts))
	for i, key := range p.reads {
		jobs = append(jobs, func(ctx context.Context) *failure.Failure {
			var f *failure.Failure
			if secrets[i], f = c.Read(ctx, key, p.settings.IgnoreMissing); f != nil {
				return f.Under(p.readBy[key].String())
			}
			return nil
		})
	}
	for _, d := range decrypts {
		jobs = append(jobs, d.Run)
	}
	if f := c.RunAll(ctx, jobs); f != nil {
		return f
	}
	a.secrets = make(map[vault.Request]*vault.Secret, len(secrets))
	for i, key := range p.reads {
		a.secrets[key] = secrets[i]
		if s := secrets[i]; s != nil && s.Lease.ID != "" {
			a.leases = append(a.leases, s.Lease)
		}
	}
	a.plaintexts = make(map[string]string, len(p.decrypts))
	for _, d := range decrypts {
		maps.Copy(a.plaintexts, d.Plaintexts)
	}
	return nil
}

// endToken starts to revoke the token before the program starts, unless the program needs it: it gets the token, or a
// lease ends with it.
func (a *answers) endToken(ctx context.Context, c *vault.Client, p *plan, log *logging.Logger) {
	if !a.token.Revocable(p.settings.Revoke) || p.login {
		return
	}
	if len(a.leases) > 0 {
		log.Debug("the token is not revoked: leases depend on it")
		a.identity.Release()
		a.identity = nil
		return
	}
	a.revoking = c.BeginRevocation(ctx, a.token, a.identity)
}

// abandon revokes the token after a failed start, and waits up to a second until that is done.
func (a *answers) abandon(ctx context.Context, c *vault.Client, r vault.Revocation, log *logging.Logger) {
	if a.revoking != nil {
		a.revoking.SettleSoon(log)
		return
	}
	if a.token.Own && a.token.Revocable(r) {
		c.RevokeNow(ctx, a.token, a.identity)
	}
}
