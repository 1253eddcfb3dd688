package main

import (
	"context"
	"math/rand/v2"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// revocationTime is how long the end of a program may be held up by what is given back.
const revocationTime = 2 * time.Second

// loan is what has to be looked after: what the program holds of Vault's, and by which token.
type loan struct {
	token  string
	client *vault.Client
	revoke bool // the token, when the program has ended
	leases []vault.Lease
	since  time.Time // when Vault was asked for it, at the earliest
}

// keeping is a keeper at work.
type keeping struct {
	ended <-chan string // why the program is to be ended
	stop  func()        // the renewals, and give back what was renewed
}

// keepLoan renews a loan from now on; nothing where there is none.
func keepLoan(l *loan, s *settings.Settings, log *logging.Logger) *keeping {
	if l == nil {
		return &keeping{stop: func() {}}
	}
	lender := &vaultLender{settings: &s.Vault, token: l.token, log: log, client: l.client}
	k := newKeeper(lender, s.Vault.Address, s.LeaseEnd, rand.Float64, log, l.since, l.leases)
	ctx, cancel := context.WithCancel(context.Background())
	ended, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		if why := k.run(ctx); why != "" {
			ended <- why
		}
	}()
	return &keeping{ended, func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), revocationTime)
		defer cancel()
		lender.giveBack(ctx, l.revoke, l.leases)
	}}
}
