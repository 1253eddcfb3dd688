package main

import (
	"sync"
	"testing"
	"time"
)

// Whatever goes wrong with whichever request: the program gets everything, or it is not started, and that is clear
// within the timeout.
func TestFaults(t *testing.T) {
	cases := faultCases()
	outcomes := make([]outcome, len(cases))
	took := make([]time.Duration, len(cases))
	var running sync.WaitGroup
	for i, c := range cases {
		vault, _, s := withTransit(t)
		vault.kv1("kv/a", `{"k":"hunter2"}`)
		vault.says("PUT pki/issue/web", 200, `{"lease_id":"","data":{"serial":"hunter2-serial"}}`)
		vault.says("PUT "+revokePath, 204, "")
		proxy := newFaultProxy(t, c.http2, vault, c.stage, c.spoil, c.times)
		s.vault.address, s.vault.timeout, s.revoke = proxy.URL, c.timeout(), revokeOwn
		if c.http2 {
			s.vault.caPEM = pemOf(proxy.Server)
		}
		running.Go(func() {
			start := time.Now()
			outcomes[i] = resolveWith(t, s, "A=vault:kv/a#k", "B="+encrypted("hunter2-b"), "C=${>>vault:pki/issue/web#serial}")
			took[i] = time.Since(start)
		})
	}
	running.Wait()
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			if took[i] > c.timeout()+5*time.Second {
				t.Errorf("it took %s; the timeout is %s", took[i], c.timeout())
			}
			if c.want() != 0 {
				outcomes[i].wantFailure(t, c.want())
				return
			}
			outcomes[i].want(t, "A=hunter2", "B=hunter2-b", "C=hunter2-serial")
		})
	}
	t.Logf("%d cases", len(cases))
}
