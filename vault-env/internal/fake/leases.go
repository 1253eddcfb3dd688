package fake

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The requests by which a token looks itself up, and revokes itself.
const (
	LookupRequest     = "GET auth/token/lookup-self"
	RevocationRequest = "PUT auth/token/revoke-self"
)

// Revoked returns whether the token has been revoked.
func (f *Vault) Revoked() bool { return slices.Contains(f.Seen(), RevocationRequest) }

// LookedUp returns the answer to a look-up of a token.
func LookedUp(token string) string {
	return `{"lease_id":"","renewable":false,"lease_duration":0,"data":{"accessor":"a","id":"` + token + `","num_uses":0,"ttl":600,"renewable":true},"auth":null}`
}

// A dynamic secret: the reference to it, and its lease.
const (
	Credentials = "vault:database/creds/shop#password"
	LeaseID     = "database/creds/shop/canary-lease"
)

// Lend adds a dynamic secret. Renewals are for the duration of the lease.
func (f *Vault) Lend(seconds int, renewable bool) {
	answer := func(data string) string {
		return fmt.Sprintf(`{"lease_id":"%s","lease_duration":%d,"renewable":%v,"data":%s,"auth":null}`, LeaseID, seconds, renewable, data)
	}
	f.Says("GET database/creds/shop", 200, answer(`{"username":"v-shop","password":"hunter2"}`))
	f.Says("PUT sys/leases/renew", 200, answer("null"))
	f.Says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+Token+`","lease_duration":600,"renewable":true}}`)
	f.Says("PUT auth/token/revoke-self", 204, "")
}

// Count returns how often a request was received.
func (f *Vault) Count(what string) int {
	n := 0
	for _, request := range f.Seen() {
		if request == what {
			n++
		}
	}
	return n
}

// Connections returns the number of connections to this Vault that its clients have open.
func (f *Vault) Connections() int {
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	tcp, _ := os.ReadFile("/proc/net/tcp")
	return strings.Count(string(tcp), fmt.Sprintf(" 0100007F:%04X 01 ", number)) // remote address, established
}
