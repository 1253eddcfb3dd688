// Package renewal renews a program's leases in daemon mode: it renews each lease in time, logs when Vault is away,
// reports when a lease is about to end for good, and revokes the leases when the program has ended.
//
// The keeper (keeper.go) decides when to renew and what an answer means; it is tested against a model of Vault on a
// fake clock. The lender (lender.go) sends the requests.
package renewal

import (
	"context"
	"math/rand/v2"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// revocationTime is how long revoking leases may delay the exit after the program has ended.
const revocationTime = 2 * time.Second

// Loan is what to renew: the leases that the program depends on, and their token.
type Loan struct {
	Token  string
	Client *vault.Client
	Revoke bool // revoke the token when the program has ended
	Leases []vault.Lease
	Since  time.Time // the earliest time at which Vault issued them
}

// Keeping is a running keeper.
type Keeping struct {
	Ended <-chan string // receives why the program has to be stopped
	Stop  func()        // stops the renewals, and revokes what was renewed
}

// Keep starts to renew a loan. It renews nothing if there is no loan.
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
