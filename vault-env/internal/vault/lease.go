package vault

import "time"

// Lease is what Vault lends for a while: the credentials of a dynamic secret, or the token itself. Daemon mode renews
// it, and whatever has one keeps the token from being revoked, for Vault takes back what a revoked token has borrowed.
type Lease struct {
	ID        string        // empty for a token's
	Duration  time.Duration // from the answer on; zero: none is known, or it has no end
	Renewable bool
	Request   Request // what was read or written; zero for a token's
}

// leaseOf returns the lease of an answer, and false where there is none. A lease has an id: KV version 1 has a
// lease_duration as well, a hint of how often to read again, and nothing ends after it.
func leaseOf(key Request, answer *Body) (Lease, bool) {
	if answer.LeaseID == "" {
		return Lease{}, false
	}
	return Lease{answer.LeaseID, Seconds(answer.LeaseDuration), answer.Renewable, key}, true
}

// TokenLease returns the lease of a token.
func TokenLease(auth *Auth) Lease {
	return Lease{Duration: Seconds(auth.LeaseDuration), Renewable: auth.Renewable}
}

// longestLease is a bound on what Vault may say, so that no arithmetic on it overflows.
const longestLease = 10 * 365 * 24 * time.Hour

// Seconds returns a duration that Vault writes in seconds, within bounds.
func Seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(longestLease/time.Second))) * time.Second
}
