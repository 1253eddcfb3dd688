package main

import (
	"context"
	"fmt"
	"time"
)

// resolution is what a program gets, and what Vault has lent for it.
type resolution struct {
	environment []string
	answers     *answers
	login       bool      // the program gets the login token
	asked       time.Time // leases count from here, or later
}

// resolve gives the program's environment.
func resolve(env environment, s *settings, log *logger) ([]string, *failure) {
	r, f := resolveAll(context.Background(), env, s, log)
	if f != nil {
		return nil, f
	}
	return r.environment, nil
}

func resolveAll(ctx context.Context, env environment, s *settings, log *logger) (*resolution, *failure) {
	p, f := newPlan(env, s)
	if f != nil {
		return nil, f
	}
	r := &resolution{answers: &answers{}, login: p.login, asked: time.Now()}
	if !p.nothing() {
		if s.vault.skipVerify {
			log.warn("VAULT_SKIP_VERIFY is true: whoever is in between can read the token and the secrets")
		}
		if r.answers, f = ask(ctx, p, log); f != nil {
			return nil, f
		}
		if log.debugs() {
			log.debug(fmt.Sprintf("%d paths read from %s in %s", len(p.reads), s.vault.address, time.Since(r.asked).Round(100*time.Microsecond)))
		}
	}
	r.environment, f = p.environment(r.answers, log)
	return r, f
}
