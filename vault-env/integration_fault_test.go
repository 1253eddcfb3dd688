package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

// testFaults runs the same cases with the whole executable and a real Vault behind the proxy.
func (v *realVault) testFaults(t *testing.T) {
	backend := httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "https", v.address },
		Transport:    v.http.Transport,
		ErrorLog:     fake.Quiet,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(502) },
	}
	ciphertext := v.encrypt("hunter2")
	var cases []fake.FaultCase
	for _, c := range fake.FaultCases() {
		if c.HTTP2 {
			cases = append(cases, c)
		}
	}
	outcomes := make([]ended, len(cases))
	starts := make([]func() ended, len(cases))
	free := make(chan struct{}, 6) // more at once would be slower than the bounds of a revocation on a small machine
	var running sync.WaitGroup
	for i, c := range cases {
		starts[i] = func() ended {
			proxy := fake.NewFaultProxy(t, true, &backend, c.Stage, c.Spoil, c.Times)
			config := v.config(withTransitKey, func(f fake.Fields) {
				f["vault"].(fake.Fields)["address"] = proxy.URL
				f["vault"].(fake.Fields)["timeout"] = c.Timeout().String()
				f["vault"].(fake.Fields)["tls"] = fake.Fields{"caBundle": fake.PEMOf(proxy.Server)}
			})
			return v.run([]string{config, "A=vault:secret/data/shop/db#password", "B=" + ciphertext,
				`C=${>>vault:pki/issue/web#${.certificate | trunc 27}#{"common_name":"a.shop.example"}}`}, "env")
		}
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			outcomes[i] = starts[i]()
		})
	}
	running.Wait()
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			problem := faultProblem(c, outcomes[i])
			// A revocation waits a second for Vault, for which a busy machine may be too slow. Then it is the only one.
			for attempt := 0; attempt < 4 && problem != "" && strings.Contains(problem, "no response within"); attempt++ {
				problem = faultProblem(c, starts[i]())
			}
			if problem != "" {
				t.Error(problem)
			}
		})
	}
}

// faultProblem returns what is wrong with the outcome of a start under a fault, or nothing.
func faultProblem(c fake.FaultCase, e ended) string {
	// A login that Vault may have completed is told, once, as soon as that is known; and no other request is.
	const lost = "vault-env: warn: a login went unanswered: if Vault completed it, its token is valid until its TTL ends\n"
	if c.Stage == "login" {
		e.stderr = strings.Replace(e.stderr, lost, "", 1)
	}
	e = e.afterWarning()
	if c.Want() != 0 {
		if strings.Contains(e.stderr, "hunter2") {
			return "stderr " + e.stderr
		}
		return e.lineProblem(c.Want(), "")
	}
	if want := "PATH=/usr/bin:/bin\nA=hunter2\nB=hunter2\nC=-----BEGIN CERTIFICATE-----\n"; e.status != 0 || e.stdout != want {
		return fmt.Sprintf("%+v", e)
	}
	// A token that is left is said to be, once.
	if says := strings.HasPrefix(e.stderr, "vault-env: warn: the token was not revoked ("); says != c.LeavesToken() || strings.Count(e.stderr, "\n") > 1 || !says && e.stderr != "" {
		return fmt.Sprintf("stderr %q; the token is left: %v", e.stderr, c.LeavesToken())
	}
	return ""
}
