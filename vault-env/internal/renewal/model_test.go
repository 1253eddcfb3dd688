package renewal

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// modelVault renews leases as Vault does: every renewal is for ttl from then on, and never beyond the maximum TTL. It
// runs on the fake clock of testing/synctest.
type modelVault struct {
	start   time.Time
	leases  map[string]*modelLease // by id
	away    func(at time.Duration) bool
	odd     func(at time.Duration, l vault.Lease) *renewal // replaces the answer
	latency time.Duration
	asked   []string // "1h0m0s id"
}

type modelLease struct {
	ttl, end, longest time.Duration // end and longest count from the start
	fixed             bool
}

func (m *modelVault) renew(ctx context.Context, l vault.Lease) renewal {
	m.asked = append(m.asked, fmt.Sprintf("%s %s", time.Since(m.start), l.ID))
	if !retry.Sleep(ctx, m.latency+time.Millisecond) {
		return renewal{verdict: away, reason: "timeout"}
	}
	at := time.Since(m.start)
	if m.away != nil && m.away(at) {
		return renewal{verdict: away, reason: "503 Service Unavailable: Vault is sealed"}
	}
	if m.odd != nil {
		if r := m.odd(at, l); r != nil {
			return *r
		}
	}
	issued := m.leases[l.ID]
	switch {
	case issued == nil || at >= issued.end:
		return renewal{verdict: over, reason: "Vault no longer knows it"}
	case l.ID == "" && l.Duration == 0: // a lookup
		return renewal{verdict: extended, duration: (issued.end - at).Truncate(time.Second), renewable: !issued.fixed}
	case issued.fixed:
		return renewal{verdict: fixed, reason: "it is not renewable"}
	}
	issued.end = min(at+issued.ttl, issued.longest)
	return renewal{verdict: extended, duration: (issued.end - at).Truncate(time.Second), renewable: true}
}

// kept is the result of a keeper's run.
type kept struct {
	why   string
	after time.Duration
	log   string
	model *modelVault
}

func (k kept) lines() int { return strings.Count(k.log, "\n") }

var restart = settings.LeaseEnd{Restart: true, GracePeriod: 10 * time.Second}

type keepOptions struct {
	action settings.LeaseEnd
	random float64
	given  bool          // the token was given: its TTL is not known yet
	until  time.Duration // the program's end
}

// runKeeper issues every lease of the model and runs a keeper until the program ends.
func runKeeper(t *testing.T, m *modelVault, o keepOptions) (result kept) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m.start = time.Now()
		var leases []vault.Lease
		for _, id := range []string{"", "db", "pki", "other"} {
			if l := m.leases[id]; l != nil {
				if l.longest == 0 {
					l.longest = 1 << 62
				}
				l.end = min(l.ttl, l.longest)
				issued := vault.Lease{ID: id, Duration: l.end, Renewable: !l.fixed, Request: vault.Request{Path: "creds/" + id}}
				if id == "" && o.given {
					issued = vault.Lease{}
				}
				leases = append(leases, issued)
			}
		}
		var log bytes.Buffer
		k := newKeeper(m, "https://vault", o.action, func() float64 { return o.random }, &logging.Logger{Out: &log, Level: logging.Info, Now: time.Now}, m.start, leases)
		ctx, cancel := context.WithTimeout(t.Context(), o.until)
		defer cancel()
		result.why = k.run(noDeadline{ctx})
		result.after, result.log, result.model = time.Since(m.start), log.String(), m
	})
	return result
}

// noDeadline hides the deadline, as the daemon's context has none.
type noDeadline struct{ context.Context }

func (noDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

const day = 24 * time.Hour
