package main

import "time"

// lease is what Vault lends for a while: the credentials of a dynamic secret, or the token itself. Daemon mode renews
// it, and whatever has one keeps the token from being revoked, for Vault takes back what a revoked token has borrowed.
type lease struct {
	id        string        // empty for a token's
	duration  time.Duration // from the answer on; zero: none is known, or it has no end
	renewable bool
	key       readKey // what was read or written; zero for a token's
}

// leaseOf gives the lease of an answer, and false where there is none. A lease has an id: KV version 1 gives a
// lease_duration as well, a hint of how often to read again, and nothing ends after it.
func leaseOf(key readKey, answer *answerBody) (lease, bool) {
	if answer.LeaseID == "" {
		return lease{}, false
	}
	return lease{answer.LeaseID, seconds(answer.LeaseDuration), answer.Renewable, key}, true
}

// tokenLeaseOf gives the lease of the token that a login gave.
func tokenLeaseOf(auth *answerAuth) lease {
	return lease{duration: seconds(auth.LeaseDuration), renewable: auth.Renewable}
}

// longestLease is a bound on what Vault may say, so that no arithmetic on it overflows.
const longestLease = 10 * 365 * 24 * time.Hour

func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(longestLease/time.Second))) * time.Second
}
