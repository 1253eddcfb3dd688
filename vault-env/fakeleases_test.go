package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const revocationRequest = "PUT auth/token/revoke-self"

// revoked waits for the request that nobody waits for.
func (f *fakeVault) revoked() bool {
	for range 500 {
		if slices.Contains(f.seen(), revocationRequest) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

const (
	creds   = "vault:database/creds/shop#password"
	leaseID = "database/creds/shop/canary-lease"
)

// lend puts a dynamic secret. Its renewals are for as long as it was lent for.
func (f *fakeVault) lend(seconds int, renewable bool) {
	answer := func(data string) string {
		return fmt.Sprintf(`{"lease_id":"%s","lease_duration":%d,"renewable":%v,"data":%s,"auth":null}`, leaseID, seconds, renewable, data)
	}
	f.says("GET database/creds/shop", 200, answer(`{"username":"v-shop","password":"hunter2"}`))
	f.says("PUT sys/leases/renew", 200, answer("null"))
	f.says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+testToken+`","lease_duration":600,"renewable":true}}`)
	f.says("PUT auth/token/revoke-self", 204, "")
}

func (f *fakeVault) count(what string) int {
	n := 0
	for _, request := range f.seen() {
		if request == what {
			n++
		}
	}
	return n
}

// connections are those to this Vault that are open on the side of its clients.
func (f *fakeVault) connections() int {
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	tcp, _ := os.ReadFile("/proc/net/tcp")
	return strings.Count(string(tcp), fmt.Sprintf(" 0100007F:%04X 01 ", number)) // remote address, established
}
