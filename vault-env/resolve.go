package main

import (
	"context"
	"fmt"
	"time"
)

// resolve gives the program's environment.
func resolve(env environment, s *settings, log *logger) ([]string, *failure) {
	p, f := newPlan(env, s)
	if f != nil {
		return nil, f
	}
	a := &answers{}
	if !p.nothing() {
		if s.vault.skipVerify {
			log.warn("VAULT_SKIP_VERIFY is true: whoever is in between can read the token and the secrets")
		}
		start := log.now()
		if a, f = ask(context.Background(), p, log); f != nil {
			return nil, f
		}
		if log.debugs() {
			log.debug(fmt.Sprintf("%d paths read from %s in %s", len(p.reads), s.vault.address, log.now().Sub(start).Round(100*time.Microsecond)))
		}
	}
	return p.environment(a, log)
}
