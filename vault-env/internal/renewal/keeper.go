package renewal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

const (
	// Leases are never renewed more often than this, whatever Vault answers.
	shortestRenewal = time.Second
	// The pauses between attempts while Vault is away double, within these bounds.
	firstPause = time.Second
	lastPause  = time.Minute
)

// verdict is the meaning of an answer to a renewal.
type verdict int

const (
	extended verdict = iota // the lease ends later, according to Vault
	fixed                   // the lease is still valid, but cannot be renewed, or not with this token
	over                    // the lease no longer exists
	failed                  // Vault answers, but cannot do it now: the database behind it may be away
	away                    // Vault did not answer
)

// renewal is Vault's answer to a renewal.
type renewal struct {
	verdict   verdict
	duration  time.Duration // of the lease, from now on
	renewable bool
	reason    string        // for the log
	wait      time.Duration // how long Vault asks to wait before the next request
}

// lender renews leases.
type lender interface {
	renew(ctx context.Context, l vault.Lease) renewal
}

// held is a lease and its schedule.
type held struct {
	lease vault.Lease
	name  string
	end   time.Time
	next  time.Time // when to renew
	pause time.Duration
	// last is why further renewals are pointless, if they are: then there is only one more, just before the end.
	last string
}

// keeper renews leases until one of them can no longer be renewed. It renews one at a time: a renewal takes
// milliseconds, and while Vault is away one attempt is as good as many.
type keeper struct {
	lender  lender
	address string // of Vault, for messages
	action  settings.LeaseEnd
	random  func() float64 // in [0,1)
	log     *logging.Logger
	leases  []*held
	absence absence
}

// newKeeper returns a keeper of leases. They count from since, the time of the first request: none was issued earlier.
func newKeeper(l lender, address string, action settings.LeaseEnd, random func() float64, log *logging.Logger, since time.Time, leases []vault.Lease) *keeper {
	k := &keeper{lender: l, address: address, action: action, random: random, log: log}
	for _, lease := range leases {
		h := &held{lease: lease, name: leaseName(lease)}
		switch {
		case lease.Duration > 0:
			k.schedule(h, since)
		case lease.ID == "": // a token that was given: its TTL is not known yet
			h.next = since
		default: // it does not end
			continue
		}
		k.leases = append(k.leases, h)
	}
	return k
}

func leaseName(l vault.Lease) string {
	if l.ID == "" {
		return "the token"
	}
	return "the lease of " + failure.QuoteName(l.Request.Path)
}

// twoThirds returns two thirds of a lease's duration, less up to a tenth of that, so that leases with the same start
// are not all renewed at once.
func (k *keeper) twoThirds(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*2/3*(1-k.random()/10)), shortestRenewal)
}

// lastTime schedules the last renewal of a lease: as long before its end as the program may take to stop, and up to a
// tenth of the lease's duration earlier, so that the replicas of a workload do not stop together.
func (k *keeper) lastTime(h *held, now time.Time, why string) {
	h.last = why
	left := h.end.Sub(now)
	early := min(k.action.GracePeriod, left/3) + time.Duration(k.random()*float64(min(h.lease.Duration/10, left/3)))
	h.next = now.Add(max(left-early, 0))
}

// run renews until the context ends, nothing is left to renew, or the program has to be stopped. It returns why the
// program has to be stopped, or nothing.
func (k *keeper) run(ctx context.Context) string {
	for len(k.leases) > 0 {
		h := slices.MinFunc(k.leases, func(a, b *held) int { return a.next.Compare(b.next) })
		wait := max(time.Until(h.next), time.Until(k.absence.until))
		if wait > 0 && !retry.Sleep(ctx, wait) {
			return ""
		}
		asked := time.Now()
		r := k.lender.renew(ctx, h.lease)
		if ctx.Err() != nil {
			return ""
		}
		if why := k.take(h, r, asked); why != "" {
			return why
		}
	}
	return ""
}

// take records an answer. It returns why the program has to be stopped, or nothing.
func (k *keeper) take(h *held, r renewal, asked time.Time) string {
	now := time.Now()
	if r.verdict == away {
		k.missed(r, now)
		h.next = now // after those that have waited longer
		return ""
	}
	k.answered(now)
	switch {
	case h.lease.Duration <= 0:
		k.learn(h, r, asked)
	case r.verdict == extended:
		return k.extend(h, r, asked, now)
	case r.verdict == over:
		h.end = now
		return k.ended(h, r.reason, now)
	case h.last != "" && r.verdict == fixed, !now.Before(h.end):
		return k.ended(h, cmp.Or(h.last, r.reason), now)
	case r.verdict == fixed:
		k.lastTime(h, now, r.reason)
		k.log.Warn(fmt.Sprintf("%s cannot be renewed (%s): it expires in %s", h.name, r.reason, rounded(h.end.Sub(now))))
	default:
		k.postpone(h, r, now)
	}
	return ""
}

// learn records Vault's answer about a token that was given. If Vault does not say how long it is valid, or it does not
// expire, it is not renewed: if the token becomes invalid, the leases will show it.
func (k *keeper) learn(h *held, r renewal, asked time.Time) {
	if r.verdict != extended || r.duration <= 0 {
		k.drop(h)
		return
	}
	h.lease.Duration, h.lease.Renewable = r.duration, r.renewable
	k.schedule(h, asked)
}

// schedule sets the first renewal of a lease that Vault issued at a time.
func (k *keeper) schedule(h *held, since time.Time) {
	h.end = since.Add(h.lease.Duration)
	if !h.lease.Renewable {
		k.lastTime(h, since, "it is not renewable")
		return
	}
	h.next = since.Add(k.twoThirds(h.lease.Duration))
}

// extend sets a new end. If the end has not moved, the lease has reached its maximum TTL, and renewing it again would
// not help. Even then, and if the end comes earlier than before, the program is only stopped at the end of the lease.
func (k *keeper) extend(h *held, r renewal, asked, now time.Time) string {
	h.pause = 0
	end := asked.Add(r.duration)
	gain := end.Sub(h.end)
	// Vault rounds to whole seconds.
	noise := max(r.duration/10, min(1500*time.Millisecond, h.lease.Duration/3))
	moved := gain > noise || gain < -noise && r.duration > 0
	if !moved && h.last != "" {
		return k.ended(h, h.last, now)
	}
	h.last = ""
	switch {
	case !moved:
		k.lastTime(h, now, "it has reached its maximum TTL")
		k.log.Info(fmt.Sprintf("%s expires in %s: %s", h.name, rounded(h.end.Sub(now)), h.last))
	case !r.renewable:
		h.end = end
		k.lastTime(h, now, "it is no longer renewable")
	default:
		h.end = end
		h.next = asked.Add(k.twoThirds(r.duration))
		if k.log.Debugs() {
			k.log.Debug(fmt.Sprintf("%s was renewed for %s", h.name, r.duration))
		}
	}
	return ""
}

// postpone schedules another attempt soon, and logs it the first time.
func (k *keeper) postpone(h *held, r renewal, now time.Time) {
	if h.pause == 0 {
		k.log.Warn(fmt.Sprintf("%s could not be renewed (%s): retrying until it expires in %s", h.name, r.reason, rounded(h.end.Sub(now))))
	}
	h.pause = min(max(2*h.pause, firstPause), k.longestPause())
	h.next = now.Add(max(k.jittered(h.pause), r.wait))
	if h.next.After(h.end) {
		h.next = h.end
	}
}

// ended handles the end of a lease, or the moment before it that leaves the program just enough time to stop. It
// returns why the program has to be stopped, or nothing.
func (k *keeper) ended(h *held, why string, now time.Time) string {
	what := h.name + " has ended"
	if left := rounded(h.end.Sub(now)); left > 0 {
		what = h.name + " expires in " + left.String()
	}
	if h.lease.ID == "" {
		what += ", and all leases with it"
	}
	what += " (" + why + ")"
	if k.action.Restart {
		return what
	}
	k.log.Warn(what + ": the program keeps running with secrets that are no longer valid")
	if k.drop(h); h.lease.ID == "" {
		k.leases = nil
	}
	return ""
}

func (k *keeper) drop(h *held) {
	k.leases = slices.DeleteFunc(k.leases, func(other *held) bool { return other == h })
}

// longestPause returns the longest pause between two attempts, which is shorter for short leases.
func (k *keeper) longestPause() time.Duration {
	pause := lastPause
	for _, h := range k.leases {
		if h.lease.Duration > 0 {
			pause = min(pause, h.lease.Duration/10)
		}
	}
	return max(pause, firstPause)
}

func (k *keeper) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + k.random()/2))
}

func rounded(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}
