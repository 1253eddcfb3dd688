package resolve_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

// Whatever goes wrong with any request, the program gets everything or is not started, within the timeout.
func TestFaults(t *testing.T) {
	cases := fake.FaultCases()
	outcomes := make([]resolvetest.Outcome, len(cases))
	took := make([]time.Duration, len(cases))
	var running sync.WaitGroup
	for i, c := range cases {
		server, _, s := resolvetest.WithTransit(t)
		server.KV1("kv/a", `{"k":"hunter2"}`)
		server.Says("PUT pki/issue/web", 200, `{"lease_id":"","data":{"serial":"hunter2-serial"}}`)
		server.Says(fake.RevocationRequest, 200, `{"data":null,"warnings":["with a body, which faults are about"],"auth":null}`)
		proxy := fake.NewFaultProxy(t, c.HTTP2, server, c.Stage, c.Spoil, c.Times)
		s.Vault.Address, s.Vault.Timeout, s.Revoke = proxy.URL, c.Timeout(), vault.RevokeOwn
		if c.HTTP2 {
			s.Vault.CAPEM = fake.PEMOf(proxy.Server)
		}
		running.Go(func() {
			start := time.Now()
			outcomes[i] = resolvetest.Resolve(t, s, "A=vault:kv/a#k", "B="+fake.Encrypted("hunter2-b"), "C=${>>vault:pki/issue/web#serial}")
			took[i] = time.Since(start)
		})
	}
	running.Wait()
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			if took[i] > c.Timeout()+5*time.Second {
				t.Errorf("it took %s; the timeout is %s", took[i], c.Timeout())
			}
			if c.Want() != 0 {
				outcomes[i].WantFailure(t, c.Want())
				return
			}
			outcomes[i].Want(t, "A=hunter2", "B=hunter2-b", "C=hunter2-serial")
			if said := strings.Count(outcomes[i].Log, "warn: the token was not revoked ("); said > 1 || (said > 0) != c.LeavesToken() {
				t.Errorf("%d warnings; the token is left: %v\n%s", said, c.LeavesToken(), outcomes[i].Log)
			}
		})
	}
	t.Logf("%d cases", len(cases))
}
