package renewal

import (
	"fmt"
	"time"
)

const (
	// While Vault is away a line says so after this time, and after twice the time from then on.
	firstReminder = time.Minute
	lastReminder  = time.Hour
)

// absence is the time that Vault has been away.
type absence struct {
	since    time.Time // zero: it is there
	until    time.Time // no attempt before
	pause    time.Duration
	said     bool      // in this absence
	remindAt time.Time // also of the absence before: a Vault that comes and goes fills no log
	reminder time.Duration
	ended    int // leases that have ended meanwhile
}

// missed is an attempt without an answer. The program is left alone however long that takes: it may still work with
// what it has, and nothing could start it again.
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
	line := fmt.Sprintf("Vault at %s does not answer (%s): trying again", k.address, r.reason)
	if a.said {
		line = fmt.Sprintf("Vault at %s has not answered for %s (%s): trying again", k.address, rounded(now.Sub(a.since)), r.reason)
	}
	switch {
	case ended > 0:
		line += fmt.Sprintf("; the program goes on although %d of %d leases have ended meanwhile", ended, len(k.leases))
	case !first.IsZero():
		line += "; the first lease ends in " + rounded(first.Sub(now)).String()
	}
	k.log.Warn(line)
	if a.said {
		a.reminder = min(2*a.reminder, lastReminder)
	}
	a.said, a.ended, a.remindAt = true, ended, now.Add(a.reminder)
}

// answered is any answer of a Vault that is there.
func (k *keeper) answered(now time.Time) {
	if k.absence.said {
		k.log.Info(fmt.Sprintf("Vault at %s answers again after %s", k.address, rounded(now.Sub(k.absence.since))))
	}
	k.absence = absence{remindAt: k.absence.remindAt}
}

// ends returns the first end of all leases and how many of them have ended.
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
