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
	// Never more often than this, whatever Vault answers.
	shortestRenewal = time.Second
	// Pauses between attempts while Vault is away double from the one to the other.
	firstPause = time.Second
	lastPause  = time.Minute
)

// verdict is what an answer to a renewal means.
type verdict int

const (
	extended verdict = iota // the lease ends later, or so Vault says
	fixed                   // the lease stays, but it cannot be renewed, or not with this token
	over                    // there is no such lease any more
	failed                  // Vault answers, but cannot do it now: the database behind it may be away
	away                    // Vault did not answer
)

// renewal is Vault's answer to a renewal.
type renewal struct {
	verdict   verdict
	duration  time.Duration // of the lease from now on
	renewable bool
	reason    string        // for the log
	wait      time.Duration // as long Vault asks to be left alone
}

// lender is who renews leases.
type lender interface {
	renew(ctx context.Context, l vault.Lease) renewal
}

// held is one lease and what is known of it.
type held struct {
	lease vault.Lease
	name  string
	end   time.Time
	next  time.Time // when to ask Vault
	pause time.Duration
	// last says that asking has become pointless, and why: it will be asked once more, just before the end.
	last string
}

// keeper renews leases until one of them cannot be renewed any more. It asks for one after the other: a renewal takes
// milliseconds, and while Vault is away one attempt tells as much as many.
type keeper struct {
	lender  lender
	address string // of Vault, for messages
	action  settings.LeaseEnd
	random  func() float64 // in [0,1)
	log     *logging.Logger
	leases  []*held
	absence absence
}

// newKeeper takes leases as Vault gave them at a time: at the latest, for the sake of safety, when it was asked.
func newKeeper(l lender, address string, action settings.LeaseEnd, random func() float64, log *logging.Logger, since time.Time, leases []vault.Lease) *keeper {
	k := &keeper{lender: l, address: address, action: action, random: random, log: log}
	for _, lease := range leases {
		h := &held{lease: lease, name: leaseName(lease)}
		switch {
		case lease.Duration > 0:
			k.schedule(h, since)
		case lease.ID == "": // a token that was given: nothing is known of it yet
			h.next = since
		default: // it has no end
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

// twoThirds of a lease's time, less up to a tenth of them, so that leases of one hour do not come back at once.
func (k *keeper) twoThirds(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*2/3*(1-k.random()/10)), shortestRenewal)
}

// lastTime has a lease asked for only once more: as long before its end as the program may take to stop, and up to a
// tenth of the lease's time earlier, so that the replicas of a workload do not stop together.
func (k *keeper) lastTime(h *held, now time.Time, why string) {
	h.last = why
	left := h.end.Sub(now)
	early := min(k.action.GracePeriod, left/3) + time.Duration(k.random()*float64(min(h.lease.Duration/10, left/3)))
	h.next = now.Add(max(left-early, 0))
}

// run renews until the context ends, or nothing is left to renew, or the program is to be ended: then it says why.
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

// take learns from an answer, and says why the program is to be ended, if so.
func (k *keeper) take(h *held, r renewal, asked time.Time) string {
	now := time.Now()
	if r.verdict == away {
		k.missed(r, now)
		h.next = now // behind those that have waited longer
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
		k.log.Warn(fmt.Sprintf("%s is not renewed (%s): it ends in %s", h.name, r.reason, rounded(h.end.Sub(now))))
	default:
		k.postpone(h, r, now)
	}
	return ""
}

// learn takes what Vault says about a token that was given. Where it says nothing, or that there is no end, nothing is
// renewed: the leases show soon enough if the token is gone.
func (k *keeper) learn(h *held, r renewal, asked time.Time) {
	if r.verdict != extended || r.duration <= 0 {
		k.drop(h)
		return
	}
	h.lease.Duration, h.lease.Renewable = r.duration, r.renewable
	k.schedule(h, asked)
}

// schedule sets the first renewal of a lease that Vault gave for its whole time at some point.
func (k *keeper) schedule(h *held, since time.Time) {
	h.end = since.Add(h.lease.Duration)
	if !h.lease.Renewable {
		k.lastTime(h, since, "it is not renewable")
		return
	}
	h.next = since.Add(k.twoThirds(h.lease.Duration))
}

// extend sets a new end. Where it is the old one, the lease has reached the longest time that Vault allows, and asking
// again would move nothing. Then, and where it comes earlier than it should, it is the end all the same that counts.
func (k *keeper) extend(h *held, r renewal, asked, now time.Time) string {
	h.pause = 0
	end := asked.Add(r.duration)
	gain := end.Sub(h.end)
	// Vault gives whole seconds.
	noise := max(r.duration/10, min(1500*time.Millisecond, h.lease.Duration/3))
	moved := gain > noise || gain < -noise && r.duration > 0
	if !moved && h.last != "" {
		return k.ended(h, h.last, now)
	}
	h.last = ""
	switch {
	case !moved:
		k.lastTime(h, now, "it has reached the longest time that Vault allows")
		k.log.Info(fmt.Sprintf("%s ends in %s: %s", h.name, rounded(h.end.Sub(now)), h.last))
	case !r.renewable:
		h.end = end
		k.lastTime(h, now, "it is not renewable any more")
	default:
		h.end = end
		h.next = asked.Add(k.twoThirds(r.duration))
		if k.log.Debugs() {
			k.log.Debug(fmt.Sprintf("%s is renewed for %s", h.name, r.duration))
		}
	}
	return ""
}

// postpone tries again soon, and says so the first time.
func (k *keeper) postpone(h *held, r renewal, now time.Time) {
	if h.pause == 0 {
		k.log.Warn(fmt.Sprintf("%s cannot be renewed (%s): trying again until it ends in %s", h.name, r.reason, rounded(h.end.Sub(now))))
	}
	h.pause = min(max(2*h.pause, firstPause), k.longestPause())
	h.next = now.Add(max(k.jittered(h.pause), r.wait))
	if h.next.After(h.end) {
		h.next = h.end
	}
}

// ended is the end of a lease, or so shortly before it that the program has just the time to stop.
func (k *keeper) ended(h *held, why string, now time.Time) string {
	what := h.name + " has ended"
	if left := rounded(h.end.Sub(now)); left > 0 {
		what = h.name + " ends in " + left.String()
	}
	if h.lease.ID == "" {
		what += ", and with it all leases"
	}
	what += " (" + why + ")"
	if k.action.Restart {
		return what
	}
	k.log.Warn(what + ": the program goes on with what no longer is valid")
	if k.drop(h); h.lease.ID == "" {
		k.leases = nil
	}
	return ""
}

func (k *keeper) drop(h *held) {
	k.leases = slices.DeleteFunc(k.leases, func(other *held) bool { return other == h })
}

// longestPause between two attempts: short leases end soon.
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
