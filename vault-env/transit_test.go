package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

func withTransit(t *testing.T) (*fakeVault, *fakeTransit, *settings) {
	vault, transit := newFakeVault(t), &fakeTransit{}
	vault.handle(decryptPath, transit.decrypt)
	s := settingsFor(t, vault)
	s.transit.keyID = "shop"
	return vault, transit, s
}

func TestTransit(t *testing.T) {
	vault, _, s := withTransit(t)
	vault.kv1("kv/a", `{"k":"one"}`)
	resolveWith(t, s,
		"A="+encrypted("hunter2"), "B=x ${"+encrypted("b")+"} ${vault:kv/a#k} ${"+encrypted("c")+"}", "C=vault:kv/a#k",
		"EMPTY="+encrypted(""), "LINES="+encrypted("two\nlines"), "BYTES="+encrypted("\xff\x01"), "REFERENCE="+encrypted("vault:kv/a#k"),
	).want(t, "A=hunter2", "B=x b one c", "C=one", "EMPTY=", "LINES=two\nlines", "BYTES=\xff\x01", "REFERENCE=vault:kv/a#k")
	if n := len(vault.seen()); n != 3 {
		t.Errorf("requests %v; want a login, a path, a batch", vault.seen())
	}
}

func TestTransitBatches(t *testing.T) {
	for _, c := range []struct {
		values, size int
		want         []int
	}{
		{1, 25, []int{1}}, {25, 25, []int{25}}, {26, 25, []int{13, 13}}, {60, 25, []int{20, 20, 20}}, {60, 60, []int{60}}, {3, 1, []int{1, 1, 1}}, {5, 2, []int{1, 2, 2}},
	} {
		t.Run(fmt.Sprintf("%d by %d", c.values, c.size), func(t *testing.T) {
			vault, transit, s := withTransit(t)
			s.transit.batchSize = c.size
			var env, want []string
			for i := range c.values {
				env = append(env, fmt.Sprintf("A%d=%s", i, encrypted(fmt.Sprint(i))), fmt.Sprintf("B%d=${%s}", i, encrypted(fmt.Sprint(i))))
				want = append(want, fmt.Sprintf("A%d=%d", i, i), fmt.Sprintf("B%d=%d", i, i))
			}
			resolveWith(t, s, env...).want(t, want...)
			slices.Sort(transit.batches)
			if !slices.Equal(transit.batches, c.want) {
				t.Errorf("batches of %v; want %v", transit.batches, c.want)
			}
			if len(vault.conns) != 1 {
				t.Errorf("%d connections", len(vault.conns))
			}
		})
	}
}

// A barrier that opens once three requests have come shows that the batches do not wait for one another.
func TestTransitBatchesAreSentAtTheSameTime(t *testing.T) {
	vault, transit, s := withTransit(t)
	var together sync.WaitGroup
	together.Add(3)
	vault.handle(decryptPath, func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		transit.decrypt(w, r)
	})
	var env []string
	for i := range 60 {
		env = append(env, fmt.Sprintf("A%d=%s", i, encrypted(fmt.Sprint(i))))
	}
	if o := resolveWith(t, s, env...); o.failure != nil {
		t.Error(o.failure.Message)
	}
}

func TestTransitFailures(t *testing.T) {
	const damaged = "vault:v1:ZGFtYWdlZA=="
	path := `"transit/decrypt/shop"`
	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request) // nil: the fake's own
		status  int
		says    []string
		ignored bool // by ignoreMissing
	}{
		"a damaged ciphertext": {nil, failure.Denied, []string{"X (and 1 more): Vault cannot decrypt the ciphertext with " + path + " (cipher: message authentication failed)"}, true},
		"an older Vault's 200": {status(200, `{"data":{"batch_results":[{"plaintext":"aHVudGVyMg=="},{"error":"no such version"}]}}`), failure.Denied, []string{"X (and 1 more): ", "no such version"}, true},
		"no such key":          {status(400, `{"errors":["encryption key not found"]}`), failure.Denied, []string{"GOOD (and 2 more): Vault refused to decrypt with " + path + " (400: encryption key not found)"}, true},
		"no such mount":        {status(404, `{"errors":["no handler for route \"transit/decrypt/shop\". route entry not found."]}`), failure.Missing, []string{"GOOD (and 2 more): ", "transit.mountPath"}, true},
		"denied":               {status(403, `{"errors":["permission denied"]}`), failure.Denied, []string{"GOOD (and 2 more): Vault denies decrypting with " + path + " (403: permission denied)", `"update"`}, false},
		"somebody's 400":       {status(400, `<html>`), failure.Denied, []string{"400"}, false},
		"somebody's 404":       {status(404, `<html>`), failure.Protocol, []string{"is not one of Vault's"}, false},
		"too few results":      {status(200, `{"data":{"batch_results":[{"plaintext":""}]}}`), failure.Protocol, []string{"is not one of Vault's transit engine"}, false},
		"no results":           {status(200, `{"data":{"plaintext":"aHVudGVyMg=="}}`), failure.Protocol, []string{"is not one of Vault's transit engine"}, false},
		"204":                  {status(204, ""), failure.Protocol, []string{"(204) is not one of Vault's"}, false},
		"no base64":            {status(200, `{"data":{"batch_results":[{"plaintext":""},{"plaintext":"hunter2!"}]}}`), failure.Protocol, []string{"X (and 1 more): ", "holds no plaintext"}, false},
		"a number":             {status(200, `{"data":{"batch_results":[{"plaintext":""},{"plaintext":7}]}}`), failure.Protocol, []string{"holds no plaintext"}, false},
		"null":                 {status(200, `{"data":{"batch_results":[null,null]}}`), failure.Protocol, []string{"GOOD: ", "holds no plaintext"}, false},
		"a redirect":           {status(307, "", "Location", "https://elsewhere.invalid/"), failure.Protocol, []string{"307, a redirect"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			vault, _, s := withTransit(t)
			if c.answer != nil {
				vault.handle(decryptPath, c.answer)
			}
			env := []string{"GOOD=" + encrypted("good"), "X=" + damaged, "Y=a ${" + damaged + "} b"}
			resolveWith(t, s, env...).wantFailure(t, c.status, c.says...)
			s.ignoreMissing = true
			o := resolveWith(t, s, env...)
			if !c.ignored {
				o.wantFailure(t, c.status)
				return
			}
			if o.failure != nil || slices.ContainsFunc(o.env, func(e string) bool { return strings.HasPrefix(e, "X=") }) || o.env[len(o.env)-1] != "Y=a  b" {
				t.Errorf("%+v", o)
			}
			if !strings.Contains(o.log, "warn: X is left out") {
				t.Errorf("no warning: %s", o.log)
			}
		})
	}
	t.Run("a NUL byte", func(t *testing.T) {
		_, _, s := withTransit(t)
		resolveWith(t, s, "X="+encrypted("a\x00b")).wantFailure(t, failure.Data, "X: ", "NUL byte")
	})
	t.Run("no key is told before anybody is asked", func(t *testing.T) {
		vault := newFakeVault(t)
		resolveWith(t, settingsFor(t, vault), "X=vault:v1:abc").wantFailure(t, failure.Settings, "X: a transit ciphertext needs a key")
		if len(vault.seen()) > 0 {
			t.Error(vault.seen())
		}
	})
	t.Run("allowedPaths are for paths that references name", func(t *testing.T) {
		_, _, s := withTransit(t)
		s.allowedPaths = []string{"secret/data/*"}
		resolveWith(t, s, "X="+encrypted("x")).want(t, "X=x")
	})
}
