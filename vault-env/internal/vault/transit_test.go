package vault_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

func TestTransit(t *testing.T) {
	vault, _, s := resolvetest.WithTransit(t)
	vault.KV1("kv/a", `{"k":"one"}`)
	resolvetest.Resolve(t, s,
		"A="+fake.Encrypted("hunter2"), "B=x ${"+fake.Encrypted("b")+"} ${vault:kv/a#k} ${"+fake.Encrypted("c")+"}", "C=vault:kv/a#k",
		"EMPTY="+fake.Encrypted(""), "LINES="+fake.Encrypted("two\nlines"), "BYTES="+fake.Encrypted("\xff\x01"), "REFERENCE="+fake.Encrypted("vault:kv/a#k"),
	).Want(t, "A=hunter2", "B=x b one c", "C=one", "EMPTY=", "LINES=two\nlines", "BYTES=\xff\x01", "REFERENCE=vault:kv/a#k")
	if n := len(vault.Seen()); n != 3 {
		t.Errorf("requests %v; want a login, a path, a batch", vault.Seen())
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
			vault, transit, s := resolvetest.WithTransit(t)
			s.Transit.BatchSize = c.size
			var env, want []string
			for i := range c.values {
				env = append(env, fmt.Sprintf("A%d=%s", i, fake.Encrypted(fmt.Sprint(i))), fmt.Sprintf("B%d=${%s}", i, fake.Encrypted(fmt.Sprint(i))))
				want = append(want, fmt.Sprintf("A%d=%d", i, i), fmt.Sprintf("B%d=%d", i, i))
			}
			resolvetest.Resolve(t, s, env...).Want(t, want...)
			slices.Sort(transit.Batches)
			if !slices.Equal(transit.Batches, c.want) {
				t.Errorf("batches of %v; want %v", transit.Batches, c.want)
			}
			if len(vault.Conns) != 1 {
				t.Errorf("%d connections", len(vault.Conns))
			}
		})
	}
}

// A barrier that opens after three requests shows that the batches do not wait for one another.
func TestTransitBatchesAreSentAtTheSameTime(t *testing.T) {
	vault, transit, s := resolvetest.WithTransit(t)
	var together sync.WaitGroup
	together.Add(3)
	vault.Handle(fake.DecryptPath, func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		transit.Decrypt(w, r)
	})
	var env []string
	for i := range 60 {
		env = append(env, fmt.Sprintf("A%d=%s", i, fake.Encrypted(fmt.Sprint(i))))
	}
	if o := resolvetest.Resolve(t, s, env...); o.Failure != nil {
		t.Error(o.Failure.Message)
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
		"an older Vault's 200": {fake.Status(200, `{"data":{"batch_results":[{"plaintext":"aHVudGVyMg=="},{"error":"no such version"}]}}`), failure.Denied, []string{"X (and 1 more): ", "no such version"}, true},
		"no such key":          {fake.Status(400, `{"errors":["encryption key not found"]}`), failure.Denied, []string{"GOOD (and 2 more): Vault refused to decrypt with " + path + " (400: encryption key not found)"}, true},
		"no such mount":        {fake.Status(404, `{"errors":["no handler for route \"transit/decrypt/shop\". route entry not found."]}`), failure.Missing, []string{"GOOD (and 2 more): ", "transit.mountPath"}, true},
		"denied":               {fake.Status(403, `{"errors":["permission denied"]}`), failure.Denied, []string{"GOOD (and 2 more): Vault denied decrypting with " + path + " (403: permission denied)", `"update"`}, false},
		"somebody's 400":       {fake.Status(400, `<html>`), failure.Protocol, []string{"(400 Bad Request, an HTML page) is not from Vault"}, false},
		"somebody's 404":       {fake.Status(404, `<html>`), failure.Protocol, []string{"is not from Vault's transit engine"}, false},
		"too few results":      {fake.Status(200, `{"data":{"batch_results":[{"plaintext":""}]}}`), failure.Protocol, []string{"is not from Vault's transit engine"}, false},
		"no results":           {fake.Status(200, `{"data":{"plaintext":"aHVudGVyMg=="}}`), failure.Protocol, []string{"is not from Vault's transit engine"}, false},
		"204":                  {fake.Status(204, ""), failure.Protocol, []string{"(204) is not from Vault's transit engine"}, false},
		"no base64":            {fake.Status(200, `{"data":{"batch_results":[{"plaintext":""},{"plaintext":"hunter2!"}]}}`), failure.Protocol, []string{"X (and 1 more): ", "contains no plaintext"}, false},
		"a number":             {fake.Status(200, `{"data":{"batch_results":[{"plaintext":""},{"plaintext":7}]}}`), failure.Protocol, []string{"contains no plaintext"}, false},
		"null":                 {fake.Status(200, `{"data":{"batch_results":[null,null]}}`), failure.Protocol, []string{"GOOD: ", "contains no plaintext"}, false},
		"a redirect":           {fake.Status(307, "", "Location", "https://elsewhere.invalid/"), failure.Unavailable, []string{"307, a redirect"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			vault, _, s := resolvetest.WithTransit(t)
			if c.answer != nil {
				vault.Handle(fake.DecryptPath, c.answer)
			}
			if c.status == failure.Unavailable {
				s.Vault.Timeout = 3 * time.Second
			}
			env := []string{"GOOD=" + fake.Encrypted("good"), "X=" + damaged, "Y=a ${" + damaged + "} b"}
			resolvetest.Resolve(t, s, env...).WantFailure(t, c.status, c.says...)
			s.IgnoreMissing = true
			o := resolvetest.Resolve(t, s, env...)
			if !c.ignored {
				o.WantFailure(t, c.status)
				return
			}
			if o.Failure != nil || slices.ContainsFunc(o.Env, func(e string) bool { return strings.HasPrefix(e, "X=") }) || o.Env[len(o.Env)-1] != "Y=a  b" {
				t.Errorf("%+v", o)
			}
			if !strings.Contains(o.Log, "warn: X is not set") {
				t.Errorf("no warning: %s", o.Log)
			}
		})
	}
	t.Run("a NUL byte", func(t *testing.T) {
		_, _, s := resolvetest.WithTransit(t)
		resolvetest.Resolve(t, s, "X="+fake.Encrypted("a\x00b")).WantFailure(t, failure.Data, "X: ", "NUL byte")
	})
	t.Run("no key is told before anybody is asked", func(t *testing.T) {
		vault := fake.NewVault(t)
		resolvetest.Resolve(t, resolvetest.Settings(t, vault), "X=vault:v1:abc").WantFailure(t, failure.Settings, "X: a transit ciphertext needs a key")
		if len(vault.Seen()) > 0 {
			t.Error(vault.Seen())
		}
	})
	t.Run("allowedPaths are for paths that references name", func(t *testing.T) {
		_, _, s := resolvetest.WithTransit(t)
		s.AllowedPaths = []string{"secret/data/*"}
		resolvetest.Resolve(t, s, "X="+fake.Encrypted("x")).Want(t, "X=x")
	})
}
