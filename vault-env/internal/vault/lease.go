package vault

import "time"

// Lease is the lease of a dynamic secret, or the lifetime of the token itself. Daemon mode renews it. The token is not
// revoked if there is a lease, because Vault revokes a token's leases with it.
type Lease struct {
	ID        string        // empty for a token's
	Duration  time.Duration // from the answer on; zero: unknown, or it does not end
	Renewable bool
	Request   Request // the read or write; zero for a token's
}

// leaseOf returns the lease of an answer, and false if there is none. A lease has an ID: KV version 1 returns a
// lease_duration as well, but only as a hint of how often to read again, and nothing expires after it.
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

// longestLease limits the durations that Vault returns, so that calculations with them do not overflow.
const longestLease = 10 * 365 * 24 * time.Hour

// Seconds returns a duration that Vault reports in seconds, within bounds.
func Seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(longestLease/time.Second))) * time.Second
}
