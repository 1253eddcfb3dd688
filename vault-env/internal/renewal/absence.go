package renewal

import (
	"fmt"
	"time"
)

const (
	// While Vault is away, a reminder is logged after this time, then after twice as long each time.
	firstReminder = time.Minute
	lastReminder  = time.Hour
)

// absence is a time in which Vault is away.
type absence struct {
	since    time.Time // zero: Vault is not away
	until    time.Time // no attempt before this time
	pause    time.Duration
	said     bool      // logged in this absence
	remindAt time.Time // kept from the previous absence, so that a flapping Vault does not fill the log
	reminder time.Duration
	ended    int // leases that have expired in the meantime
}

// missed records an attempt without an answer. The program keeps running for as long as Vault is away: it may still
// work with what it has, and it could not start again without Vault.
func (k *keeper) missed(r renewal, now time.Time) {
	a := &k.absence
	if a.since.IsZero() {
		a.since, a.reminder = now, firstReminder
	}
	a.pause = min(max(2*a.pause, firstPause), k.longestPause())
	a.until = now.Add(max(k.jittered(a.pause), min(r.wait, lastPause)))
	first, ended := k.ends(now)
	if now.Before(a.remindAt) && ended <= a.ended {
		return
	}
	line := fmt.Sprintf("Vault at %s is unavailable (%s): retrying", k.address, r.reason)
	if a.said {
		line = fmt.Sprintf("Vault at %s has been unavailable for %s (%s): retrying", k.address, rounded(now.Sub(a.since)), r.reason)
	}
	switch {
	case ended > 0:
		line += fmt.Sprintf("; the program keeps running although %d of %d leases have expired", ended, len(k.leases))
	case !first.IsZero():
		line += "; the first lease expires in " + rounded(first.Sub(now)).String()
	}
	k.log.Warn(line)
	if a.said {
		a.reminder = min(2*a.reminder, lastReminder)
	}
	a.said, a.ended, a.remindAt = true, ended, now.Add(a.reminder)
}

// answered records an answer: Vault is not away.
func (k *keeper) answered(now time.Time) {
	if k.absence.said {
		k.log.Info(fmt.Sprintf("Vault at %s is available again after %s", k.address, rounded(now.Sub(k.absence.since))))
	}
	k.absence = absence{remindAt: k.absence.remindAt}
}

// ends returns the earliest end of all leases, and how many of them have ended.
func (k *keeper) ends(now time.Time) (first time.Time, ended int) {
	for _, h := range k.leases {
		if h.lease.Duration <= 0 {
			continue
		}
		if first.IsZero() || h.end.Before(first) {
			first = h.end
		}
		if !now.Before(h.end) {
			ended++
		}
	}
	return first, ended
}
