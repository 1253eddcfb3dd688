package login

import (
	"context"
	"time"
)

// patience says how long a refused login is tried again. Vault's kubernetes method has the API server review the token,
// and answers 403 to every review that fails: also if the API server was only busy, or was just restarted. Vault's answer
// does not tell this from a token that the role does not accept, so the login is tried again for two thirds of the
// timeout, and at least once; the last third is for the reads that follow. An API server that is away for 5 s, as in a
// restart, does not fail a start with the default timeout of 10 s.
type patience struct {
	until   time.Time
	refused int
}

// patienceFor returns the patience for a login that begins now and must end before the context's deadline.
func patienceFor(ctx context.Context, now time.Time) *patience {
	deadline, limited := ctx.Deadline()
	if !limited {
		return &patience{until: now}
	}
	return &patience{until: now.Add(deadline.Sub(now) * 2 / 3)}
}

// again returns whether to try again after Vault's answer 403.
func (p *patience) again(now time.Time) bool {
	p.refused++
	return p.refused == 1 || now.Before(p.until)
}
