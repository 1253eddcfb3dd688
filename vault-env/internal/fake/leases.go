package fake

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RevocationRequest is how a token is revoked by itself.
const RevocationRequest = "PUT auth/token/revoke-self"

// Revoked waits for the request that nobody waits for.
func (f *Vault) Revoked() bool {
	for range 500 {
		if slices.Contains(f.Seen(), RevocationRequest) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// A dynamic secret: what refers to it, and its lease.
const (
	Credentials = "vault:database/creds/shop#password"
	LeaseID     = "database/creds/shop/canary-lease"
)

// Lend puts a dynamic secret. Its renewals are for as long as it was lent for.
func (f *Vault) Lend(seconds int, renewable bool) {
	answer := func(data string) string {
		return fmt.Sprintf(`{"lease_id":"%s","lease_duration":%d,"renewable":%v,"data":%s,"auth":null}`, LeaseID, seconds, renewable, data)
	}
	f.Says("GET database/creds/shop", 200, answer(`{"username":"v-shop","password":"hunter2"}`))
	f.Says("PUT sys/leases/renew", 200, answer("null"))
	f.Says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+Token+`","lease_duration":600,"renewable":true}}`)
	f.Says("PUT auth/token/revoke-self", 204, "")
}

// Count returns how often a request has come.
func (f *Vault) Count(what string) int {
	n := 0
	for _, request := range f.Seen() {
		if request == what {
			n++
		}
	}
	return n
}

// Connections are those to this Vault that are open on the side of its clients.
func (f *Vault) Connections() int {
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	tcp, _ := os.ReadFile("/proc/net/tcp")
	return strings.Count(string(tcp), fmt.Sprintf(" 0100007F:%04X 01 ", number)) // remote address, established
}
