package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

const messagePath = "PATH=/usr/bin:/bin"

// TestFailuresNameThePolicy holds the line of a failure, which people see in the log and in the status of the container.
func TestFailuresNameThePolicy(t *testing.T) {
	v := fake.NewVault(t)
	v.KV2("secret/data/shop/db", `{"password":"s3cr3t-value"}`)
	message := fake.File(t, "termination-log", "")
	config := v.Settings(t, func(f fake.Fields) { f["policy"], f["terminationMessagePath"] = "shop/web", message })
	e := vaultEnv(t, []string{messagePath, config, "X=vault:secret/data/shop/db#passwrd"}, "true")
	const want = `X: secret/data/shop/db: the secret has no key "passwrd"`
	e.wantLine(t, failure.Missing, want)
	if !strings.HasSuffix(e.stderr, " [policy shop/web]\n") {
		t.Errorf("stderr %q", e.stderr)
	}
	// Only the container's own process leaves a message, and this one is not the first of its container.
	if got, _ := os.ReadFile(message); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func TestCheck(t *testing.T) {
	v := fake.NewVault(t)
	v.KV2("secret/data/shop/db", `{"password":"s3cr3t-value","user":"shop"}`)
	config := v.Settings(t, func(f fake.Fields) {
		f["environment"] = fake.Fields{"fromPaths": []fake.Fields{{"path": "secret/data/shop/db", "prefix": "DB_"}}}
	})
	env := []string{messagePath, config, "PLAIN=text", "URL=https://${vault:secret/data/shop/db#user}@db"}
	e := vaultEnv(t, env, "--check")
	if want := "URL: 15 bytes\nDB_password: 12 bytes\nDB_user: 4 bytes\n"; e.status != 0 || e.stdout != want || e.stderr != "" {
		t.Errorf("%+v; want %q", e, want)
	}
	if seen := v.Seen(); !strings.Contains(seen[len(seen)-1], "auth/token/revoke-self") {
		t.Errorf("the token stays: %v", seen)
	}
	vaultEnv(t, append(env, "X=vault:secret/data/shop/db#passwrd"), "--check").wantLine(t, failure.Missing, "no key")
	if e := vaultEnv(t, []string{messagePath, v.Settings(t)}, "--check"); e.stdout != "no variable refers to Vault\n" {
		t.Errorf("%+v", e)
	}
	vaultEnv(t, env, "--check", "x").wantLine(t, failure.Usage, "without arguments")
}

// TestWarnsAtOnce: the log of a pod that waits says why, once.
func TestWarnsAtOnce(t *testing.T) {
	v := fake.NewVault(t)
	v.KV2("secret/data/a", `{"k":"v"}`)
	attempts := 0
	v.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, r *http.Request) {
		if attempts++; attempts < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"errors":["Vault is sealed"]}`))
			return
		}
		v.Login(w, r)
	})
	e := vaultEnv(t, []string{messagePath, v.Settings(t), "X=vault:secret/data/a#k"}, "true")
	want := "vault-env: warn: Vault at " + v.URL + ": 503 Service Unavailable: Vault is sealed; trying again for up to 5s\n"
	if e.status != 0 || e.stderr != want {
		t.Errorf("status %d, stderr %q; want %q", e.status, e.stderr, want)
	}
}
