package renewal

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

func TestRenewsAtTwoThirds(t *testing.T) {
	for random, want := range map[float64]string{0: "40m0s db", 0.999: "36m0"} {
		k := runKeeper(t, &modelVault{leases: map[string]*modelLease{"db": {ttl: time.Hour}}}, keepOptions{restart, random, false, 10 * day})
		if k.why != "" || k.log != "" || !strings.HasPrefix(k.model.asked[0], want) {
			t.Errorf("random %v: asked first at %s, ended with %q, log %q; want the first at %s", random, k.model.asked[0], k.why, k.log, want)
		}
		if n := len(k.model.asked); n < 359 || n > 401 {
			t.Errorf("random %v: %d renewals in ten days; want every 36 to 40 minutes", random, n)
		}
	}
}

func TestEveryLeaseHasItsOwnTime(t *testing.T) {
	m := &modelVault{leases: map[string]*modelLease{"": {ttl: time.Hour}, "db": {ttl: 6 * time.Minute}, "other": {ttl: day}}}
	k := runKeeper(t, m, keepOptions{action: restart, until: 30 * day})
	count := map[string]int{}
	for _, asked := range m.asked {
		_, id, _ := strings.Cut(asked, " ")
		count[id]++
	}
	if k.why != "" || k.log != "" || count[""] < 1050 || count[""] > 1080 || count["db"] < 10500 || count["db"] > 10800 || count["other"] < 44 || count["other"] > 45 {
		t.Errorf("%q after %s, renewals %v, log %s", k.why, k.after, count, k.log)
	}
}

func TestLeaseEnds(t *testing.T) {
	hour := func() map[string]*modelLease {
		return map[string]*modelLease{"": {ttl: 3 * time.Hour}, "db": {ttl: time.Hour}}
	}
	with := func(id string, l modelLease) map[string]*modelLease {
		leases := hour()
		leases[id] = &l
		return leases
	}
	for _, c := range []struct {
		name     string
		model    modelVault
		given    bool
		random   float64
		from, to time.Duration // of the end; zero: none in thirty days
		why      string
	}{
		{name: "as long as Vault renews, never", model: modelVault{leases: hour()}},
		{name: "the maximum TTL: with time to stop", model: modelVault{leases: with("db", modelLease{ttl: time.Hour, longest: 100 * time.Minute})},
			from: 100*time.Minute - 12*time.Second, to: 100*time.Minute - 9*time.Second, why: `the lease of "creds/db" expires in 10s (it has reached its maximum TTL)`},
		{name: "the maximum TTL: replicas do not stop together", random: 0.999, model: modelVault{leases: with("db", modelLease{ttl: time.Hour, longest: 100 * time.Minute})},
			from: 95 * time.Minute, to: 97 * time.Minute, why: "it has reached its maximum TTL"},
		{name: "the maximum TTL, many renewals later", model: modelVault{leases: with("db", modelLease{ttl: time.Hour, longest: 7 * day})},
			from: 7*day - 12*time.Second, to: 7*day - 9*time.Second, why: "expires in 10s"},
		{name: "not renewable", model: modelVault{leases: with("db", modelLease{ttl: time.Hour, fixed: true})},
			from: time.Hour - 11*time.Second, to: time.Hour - 9*time.Second, why: `the lease of "creds/db" expires in 10s (it is not renewable)`},
		{name: "not renewable and shorter than the time to stop", model: modelVault{leases: with("db", modelLease{ttl: 9 * time.Second, fixed: true})},
			from: 6 * time.Second, to: 7 * time.Second, why: "expires in 3s (it is not renewable)"},
		{name: "the token's maximum TTL", model: modelVault{leases: with("", modelLease{ttl: time.Hour, longest: 4 * time.Hour})},
			from: 4*time.Hour - 12*time.Second, to: 4*time.Hour - 9*time.Second, why: "the token expires in 10s, and all leases with it (it has reached its maximum TTL)"},
		{name: "a given token's end", given: true, model: modelVault{leases: with("", modelLease{ttl: 2 * time.Hour, fixed: true})},
			from: 2*time.Hour - 13*time.Second, to: 2*time.Hour - 10*time.Second, why: "the token expires in 10s, and all leases with it (it is not renewable)"},
		{name: "a given token is renewed", given: true, model: modelVault{leases: hour()}},
		{name: "a given token without end", given: true, model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "" {
				return &renewal{verdict: extended, duration: 0}
			}
			return nil
		}}},
		{name: "a given token that may not look itself up", given: true, model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "" {
				return &renewal{verdict: fixed, reason: "denied"}
			}
			return nil
		}}},
		{name: "revoked", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if at > 5*time.Hour {
				return &renewal{verdict: over, reason: "gone"}
			}
			return nil
		}}, from: 5 * time.Hour, to: 5*time.Hour + 40*time.Minute, why: "has ended (gone)"},
		{name: "denied", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "db" {
				return &renewal{verdict: fixed, reason: "permission denied"}
			}
			return nil
		}}, from: time.Hour - 11*time.Second, to: time.Hour - 9*time.Second, why: "expires in 10s (permission denied)"},
		{name: "no longer renewable", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			switch {
			case l.ID == "db" && at < 50*time.Minute:
				return &renewal{verdict: extended, duration: 30 * time.Minute}
			case l.ID == "db":
				return &renewal{verdict: fixed, reason: "?"}
			}
			return nil
		}}, from: 70*time.Minute - 11*time.Second, to: 70*time.Minute - 9*time.Second, why: "it is no longer renewable"},
		{name: "no duration at all", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "db" {
				return &renewal{verdict: extended, duration: 0, renewable: true}
			}
			return nil
		}}, from: time.Hour - 11*time.Second, to: time.Hour - 9*time.Second, why: "it has reached its maximum TTL"},
		{name: "shorter than before, but renewable", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "db" {
				return &renewal{verdict: extended, duration: 5 * time.Minute, renewable: true}
			}
			return nil
		}}},
		{name: "much longer than before", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			return &renewal{verdict: extended, duration: 10 * 365 * 24 * time.Hour, renewable: true}
		}}},
		{name: "cannot be renewed until its end", model: modelVault{leases: hour(), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "db" {
				return &renewal{verdict: failed, reason: "400: failed to renew entry"}
			}
			return nil
		}}, from: time.Hour, to: time.Hour + time.Second, why: "has ended (400: failed to renew entry)"},
		{name: "at its maximum TTL, which is then raised", model: modelVault{leases: with("db", modelLease{ttl: time.Hour, longest: 100 * time.Minute}), odd: func(at time.Duration, l vault.Lease) *renewal {
			if l.ID == "db" && at > 99*time.Minute {
				return &renewal{verdict: extended, duration: time.Hour, renewable: true}
			}
			return nil
		}}},
		{name: "of seconds", model: modelVault{leases: map[string]*modelLease{"": {ttl: 4 * time.Second}, "db": {ttl: 2 * time.Second}}}},
		{name: "of seconds, at their maximum TTL", model: modelVault{leases: map[string]*modelLease{"": {ttl: time.Minute}, "db": {ttl: 5 * time.Second, longest: 12 * time.Second}}},
			from: 9 * time.Second, to: 12 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			until := 30 * day
			if strings.HasPrefix(c.name, "of seconds") {
				until = day
			}
			k := runKeeper(t, &c.model, keepOptions{restart, c.random, c.given, until})
			if c.to == 0 {
				if k.why != "" {
					t.Errorf("ended after %s: %s", k.after, k.why)
				}
				return
			}
			if k.after < c.from || k.after > c.to || k.why == "" || !strings.Contains(k.why, c.why) {
				t.Errorf("after %s: %q; want %q between %s and %s\n%s", k.after, k.why, c.why, c.from, c.to, k.log)
			}
		})
	}
}

func TestALeaseThatCannotBeRenewedForAWhile(t *testing.T) {
	m := &modelVault{leases: map[string]*modelLease{"": {ttl: 3 * time.Hour}, "db": {ttl: time.Hour}}}
	refused := 0
	m.odd = func(at time.Duration, l vault.Lease) *renewal {
		if l.ID == "db" && refused < 5 {
			refused++
			return &renewal{verdict: failed, reason: "400: failed to renew entry"}
		}
		return nil
	}
	k := runKeeper(t, m, keepOptions{action: restart, until: 10 * day})
	if want := `vault-env: warn: the lease of "creds/db" could not be renewed (400: failed to renew entry): retrying until it expires in 20m0s` + "\n"; k.why != "" || refused != 5 || k.log != want {
		t.Errorf("%q after %s, log %s", k.why, k.after, k.log)
	}
}

func TestActionKeep(t *testing.T) {
	action := settings.LeaseEnd{GracePeriod: 10 * time.Second}
	t.Run("a lease", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"": {ttl: time.Hour}, "db": {ttl: time.Hour, fixed: true}, "pki": {ttl: 2 * time.Hour}}}
		k := runKeeper(t, m, keepOptions{action: action, until: 10 * day})
		if k.why != "" || k.log != `vault-env: warn: the lease of "creds/db" expires in 10s (it is not renewable): the program keeps running with secrets that are no longer valid`+"\n" {
			t.Errorf("%q, log %s", k.why, k.log)
		}
		if last := m.asked[len(m.asked)-1]; k.after != 10*day || !strings.HasPrefix(last, "2") {
			t.Errorf("the others are no longer renewed: %s, %s", k.after, last)
		}
	})
	t.Run("the token, and all leases with it", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"": {ttl: time.Hour, longest: 3 * time.Hour}, "db": {ttl: 2 * time.Hour}}}
		k := runKeeper(t, m, keepOptions{action: action, until: 10 * day})
		if k.why != "" || k.after > 3*time.Hour || !strings.Contains(k.log, "the token expires in 10s, and all leases with it") || k.lines() != 2 {
			t.Errorf("%q after %s, log %s", k.why, k.after, k.log)
		}
	})
}

// While Vault is away, however long that is, the program is not stopped and the log does not fill.
func TestVaultAway(t *testing.T) {
	leases := func() map[string]*modelLease {
		return map[string]*modelLease{"": {ttl: 3 * time.Hour}, "db": {ttl: time.Hour}, "pki": {ttl: 12 * time.Hour, fixed: true}}
	}
	between := func(from, to time.Duration) func(time.Duration) bool {
		return func(at time.Duration) bool { return at >= from && at < to }
	}
	t.Run("briefly", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"db": {ttl: time.Hour}}, away: between(40*time.Minute, 45*time.Minute)}
		k := runKeeper(t, m, keepOptions{action: restart, until: 10 * day})
		if k.why != "" || !strings.Contains(k.log, "vault-env: warn: Vault at https://vault is unavailable (503 Service Unavailable: Vault is sealed): retrying; the first lease expires in 20m0s\n") ||
			!strings.HasSuffix(k.log, "vault-env: info: Vault at https://vault is available again after 5m0s\n") {
			t.Errorf("%q after %s, log:\n%s", k.why, k.after, k.log)
		}
	})
	t.Run("for longer than the leases: the program is stopped when Vault is available again", func(t *testing.T) {
		m := &modelVault{leases: leases(), away: between(50*time.Minute, 20*time.Hour)}
		k := runKeeper(t, m, keepOptions{action: restart, until: 10 * day})
		if k.after < 20*time.Hour || k.after > 20*time.Hour+2*time.Minute || !strings.Contains(k.why, "has ended (Vault no longer knows it)") {
			t.Errorf("%q after %s", k.why, k.after)
		}
		for _, part := range []string{"1 of 3 leases have expired", "2 of 3 leases have expired", "3 of 3 leases have expired", "is available again after 18h"} {
			if !strings.Contains(k.log, part) {
				t.Errorf("the log does not contain %q:\n%s", part, k.log)
			}
		}
		if k.lines() > 35 {
			t.Errorf("%d lines:\n%s", k.lines(), k.log)
		}
	})
	t.Run("for longer than the leases, which Vault has kept anyway", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"db": {ttl: time.Hour}}, away: between(50*time.Minute, 20*time.Hour), odd: func(at time.Duration, l vault.Lease) *renewal {
			return &renewal{verdict: extended, duration: time.Hour, renewable: true}
		}}
		k := runKeeper(t, m, keepOptions{action: restart, until: 10 * day})
		if k.why != "" {
			t.Errorf("%q after %s", k.why, k.after)
		}
	})
	t.Run("for a month", func(t *testing.T) {
		m := &modelVault{leases: leases(), away: between(10*time.Minute, 1000*day)}
		k := runKeeper(t, m, keepOptions{action: restart, until: 30 * day})
		if k.why != "" || k.lines() > 750 {
			t.Errorf("%q after %s, %d lines", k.why, k.after, k.lines())
		}
		if n := len(m.asked); n > 30*24*60*2 || n < 30*24*60 {
			t.Errorf("%d attempts in a month", n)
		}
	})
	t.Run("every other minute", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"": {ttl: 30 * time.Second}, "db": {ttl: 20 * time.Second}}, latency: 100 * time.Millisecond,
			away: func(at time.Duration) bool { return at%(4*time.Second) < 2*time.Second }}
		k := runKeeper(t, m, keepOptions{action: restart, until: day})
		if k.why != "" || k.lines() > 2*24*60+2 {
			t.Errorf("%q after %s, %d lines", k.why, k.after, k.lines())
		}
	})
	t.Run("and it asks to wait", func(t *testing.T) {
		m := &modelVault{leases: map[string]*modelLease{"db": {ttl: time.Hour}}, odd: func(at time.Duration, l vault.Lease) *renewal {
			if at < 45*time.Minute {
				return &renewal{verdict: away, reason: "429 Too Many Requests", wait: 50 * time.Second}
			}
			return nil
		}}
		if k := runKeeper(t, m, keepOptions{action: restart, until: 50 * time.Minute}); k.why != "" || len(m.asked) > 8 {
			t.Errorf("%q, asked at %v", k.why, m.asked)
		}
	})
}

func TestNothingToKeep(t *testing.T) {
	// A lease without an end, as KV version 1's hint would be.
	k := newKeeper(&modelVault{}, "", restart, rand.Float64, nil, time.Now(), []vault.Lease{{ID: "x"}})
	if why := k.run(t.Context()); why != "" || len(k.leases) != 0 {
		t.Errorf("%q, %v", why, k.leases)
	}
}

// Whatever Vault answers, no lease is renewed more than once a second, and the program is only stopped if a lease ends.
func TestKeeperOnAnyVault(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &modelVault{leases: map[string]*modelLease{}, latency: time.Duration(r.IntN(2000)) * time.Millisecond}
		for _, id := range []string{"", "db", "pki"} {
			ttl := time.Duration(5+r.IntN(20000)) * time.Second
			m.leases[id] = &modelLease{ttl: ttl, longest: ttl + time.Duration(r.IntN(200000))*time.Second, fixed: r.IntN(4) == 0}
		}
		sometimes := r.IntN(3) == 0
		m.odd = func(at time.Duration, l vault.Lease) *renewal {
			if !sometimes || r.IntN(3) != 0 {
				return nil
			}
			return &renewal{verdict: []verdict{failed, away}[r.IntN(2)], reason: "?", wait: time.Duration(r.IntN(100)) * time.Second}
		}
		first := time.Duration(1 << 62)
		for _, l := range m.leases {
			if l.fixed {
				l.longest = l.ttl
			}
			first = min(first, l.longest)
		}
		k := runKeeper(t, m, keepOptions{action: restart, random: r.Float64(), until: 30 * day})
		if k.why == "" {
			t.Errorf("seed %d: it continues beyond the first end, %s", seed, first)
		}
		if !sometimes && (k.after > first+time.Second || k.after < first/3) {
			t.Errorf("seed %d: ended after %s, the first lease after %s: %s", seed, k.after, first, k.why)
		}
		if n := len(m.asked); n > int(k.after/time.Second)*3+20 {
			t.Errorf("seed %d: %d requests in %s", seed, n, k.after)
		}
	}
}
