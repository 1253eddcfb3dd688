package main

import (
	"context"
	"maps"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

// ask gets everything that the plan wants: one token, then every path and every ciphertext once.
func ask(ctx context.Context, p *plan, log *logging.Logger) (*answers, *failure.Failure) {
	v := &p.settings.vault
	a := &answers{}
	var f *failure.Failure
	if a.token.value, f = givenToken(&p.settings.login); f != nil {
		return nil, f
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	c, f := newClient(v, a.token.value != "", log)
	if f != nil {
		return nil, f
	}
	if a.token.value == "" {
		if a.token, f = login(ctx, c, &p.settings.login, v, log); f != nil {
			return nil, f
		}
	}
	if failure.OneLine(a.token.value) != a.token.value { // it goes into a header
		return nil, failure.Newf(failure.Settings, "the token for Vault is malformed: it holds a control character")
	}
	c.token = a.token.value
	c.limitAnswers(true)
	if f := a.getAll(ctx, c, p); f != nil {
		c.limitAnswers(false)
		a.abandon(ctx, c, p.settings.revoke, log)
		return nil, f
	}
	c.limitAnswers(false)
	a.endToken(c, p, log)
	a.client = c
	return a, nil
}

// getAll gets the plan's secrets and plaintexts into the answers, all at the same time.
func (a *answers) getAll(ctx context.Context, c *client, p *plan) *failure.Failure {
	secrets := make([]*secret, len(p.reads))
	decrypts := c.decryptions(p.settings.transit, p.decrypts, p.settings.ignoreMissing, p.wanted)
	jobs := make([]job, 0, len(p.reads)+len(decrypts))
	for i, key := range p.reads {
		jobs = append(jobs, func(ctx context.Context) *failure.Failure {
			var f *failure.Failure
			if secrets[i], f = c.read(ctx, key, p.settings.ignoreMissing); f != nil {
				return f.Under(p.readBy[key].String())
			}
			return nil
		})
	}
	for _, d := range decrypts {
		jobs = append(jobs, d.run)
	}
	if f := c.runAll(ctx, jobs); f != nil {
		return f
	}
	a.secrets = make(map[readKey]*secret, len(secrets))
	for i, key := range p.reads {
		a.secrets[key] = secrets[i]
		if s := secrets[i]; s != nil && s.lease.id != "" {
			a.leases = append(a.leases, s.lease)
		}
	}
	a.plaintexts = make(map[string]string, len(p.decrypts))
	for _, d := range decrypts {
		maps.Copy(a.plaintexts, d.plaintexts)
	}
	return nil
}

// endToken begins to revoke the token before the program starts, where the program has no use for it: it does not get
// it, and no lease ends with it.
func (a *answers) endToken(c *client, p *plan, log *logging.Logger) {
	if !a.token.revocable(p.settings.revoke) || p.login {
		return
	}
	if len(a.leases) > 0 {
		log.Debug("the token is not revoked: leases depend on it")
		return
	}
	a.revoking = c.beginRevocation()
}

// settleToken waits until the request to revoke the token is written, if there is one.
func (a *answers) settleToken(log *logging.Logger) {
	if a.revoking != nil {
		a.revoking.settle(log)
	}
}

// abandon revokes the token after a start that failed.
func (a *answers) abandon(ctx context.Context, c *client, r revocation, log *logging.Logger) {
	if a.revoking != nil {
		a.settleToken(log)
		return
	}
	if a.token.own && a.token.revocable(r) {
		c.revokeNow(ctx)
	}
}
