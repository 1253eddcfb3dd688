// Package renewal keeps alive what Vault has lent to a program, in daemon mode: it renews each lease in time, tells the
// log when Vault is away, says when a lease is about to end for good, and gives everything back when the program has
// ended.
//
// The keeper (keeper.go) decides when to ask and what an answer means; it is tested against a model of Vault on a fake
// clock. The lender (lender.go) does the asking.
package renewal

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

// Loan is what has to be looked after: what the program holds of Vault's, and by which token.
type Loan struct {
	Token  string
	Client *vault.Client
	Revoke bool // the token, when the program has ended
	Leases []vault.Lease
	Since  time.Time // when Vault was asked for it, at the earliest
}

// Keeping is a keeper at work.
type Keeping struct {
	Ended <-chan string // why the program is to be ended
	Stop  func()        // the renewals, and give back what was renewed
}

// Keep renews a loan from now on, and returns what tells of its end; nothing is renewed where there is no loan.
func Keep(l *Loan, s *settings.Settings, log *logging.Logger) *Keeping {
	if l == nil {
		return &Keeping{Stop: func() {}}
	}
	lender := &vaultLender{settings: &s.Vault, token: l.Token, log: log, client: l.Client}
	k := newKeeper(lender, s.Vault.Address, s.LeaseEnd, rand.Float64, log, l.Since, l.Leases)
	ctx, cancel := context.WithCancel(context.Background())
	ended, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		if why := k.run(ctx); why != "" {
			ended <- why
		}
	}()
	return &Keeping{ended, func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), revocationTime)
		defer cancel()
		lender.giveBack(ctx, l.Revoke, l.Leases)
	}}
}
