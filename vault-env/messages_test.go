package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	var revoked atomic.Bool
	v.Handle("PUT auth/token/revoke-self", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		revoked.Store(true)
		w.WriteHeader(http.StatusNoContent)
	})
	env := []string{messagePath, config, "PLAIN=text", "URL=https://${vault:secret/data/shop/db#user}@db"}
	e := vaultEnv(t, env, "--check")
	if want := "URL: 15 bytes\nDB_password: 12 bytes\nDB_user: 4 bytes\n"; e.status != 0 || e.stdout != want || e.stderr != "" {
		t.Errorf("%+v; want %q", e, want)
	}
	if !revoked.Load() {
		t.Errorf("it ended before its token was revoked: %v", v.Seen())
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

// TestShowsTextFromElsewhere: what Vault, the manifest and the policy say cannot write lines of its own, or act on a
// terminal.
func TestShowsTextFromElsewhere(t *testing.T) {
	hostile := "why\nvault-env: info: fine\x1b[2J\u202e\u2066\u200b\u2028" + strings.Repeat("x", 1<<19)
	said, err := json.Marshal(map[string][]string{"errors": {hostile}})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"Text", "JSON"} {
		v := fake.NewVault(t)
		v.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			w.Write(said)
		})
		config := v.Settings(t, func(f fake.Fields) {
			f["policy"] = hostile[:200]
			f["process"] = fake.Fields{"log": fake.Fields{"level": "Debug", "format": format}}
		})
		for _, variables := range [][]string{
			{"X=vault:secret/data/a#k"},
			{hostile[:1000] + "=vault:secret/data/a"},
			{"X=vault:secret/data/" + hostile[30:10_000] + "#k"},
		} {
			e := vaultEnv(t, append([]string{messagePath, config}, variables...), "true")
			lines := strings.Split(strings.TrimSuffix(e.stderr, "\n"), "\n")
			if e.status == 0 || len(e.stderr) > 3*5000 {
				t.Errorf("status %d, %d bytes", e.status, len(e.stderr))
			}
			for _, line := range lines {
				if shown := failure.OneLine(line); shown != line || !strings.HasPrefix(line, "vault-env: ") && line[0] != '{' {
					t.Errorf("%.300q", line)
				}
			}
			if strings.Contains(e.stderr, `\n`) || strings.Contains(e.stderr, `\u001b`) {
				t.Errorf("JSON hides it: %.300q", e.stderr)
			}
		}
	}
}
