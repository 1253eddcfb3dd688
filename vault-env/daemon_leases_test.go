package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/signals"
)

// daemonConfig is what the webhook writes for a policy with daemon mode.
func daemonConfig(t *testing.T, vault *fake.Vault, process map[string]any, more ...string) []string {
	process["mode"] = "Daemon"
	config, err := json.Marshal(map[string]any{
		"vault": map[string]any{"address": vault.URL, "tls": map[string]any{"caFile": fake.File(t, "ca", vault.CaPEM())},
			"auth": map[string]any{"role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}},
		"process": process,
	})
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"VAULT_ENV_CONFIG=" + string(config)}, more...)
}

func (r *running) wantLog(patterns ...string) {
	r.t.Helper()
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(r.log(), "warning: GOCOVERDIR not set, no coverage data emitted\n", ""), "\n"), "\n")
	if len(patterns) == 0 {
		patterns = []string{""}
	}
	if len(lines) != len(patterns) {
		r.t.Fatalf("log:\n%s\nwant %d lines", r.log(), len(patterns))
	}
	for i, pattern := range patterns {
		if !regexp.MustCompile("^" + pattern + "$").MatchString(lines[i]) {
			r.t.Errorf("log line %q; want %q", lines[i], pattern)
		}
	}
	for _, secret := range []string{fake.Token, fake.JWT, "hunter2", fake.LeaseID} {
		if strings.Contains(r.log(), secret) {
			r.t.Errorf("the log contains a secret: %s", r.log())
		}
	}
}

func TestDaemonsEnvironmentIsExecsEnvironment(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/db", `{"user":"shop","password":"hunter2"}`)
	vault.Lend(600, true)
	outputs := map[string]string{}
	for _, mode := range []string{"Exec", "Daemon"} {
		env := daemonConfig(t, vault, map[string]any{}, "A=1", "URL=${vault:secret/data/db#user}@db", "P="+fake.Credentials, "VAULT_ADDR=mine", "A=2")
		env[0] = strings.Replace(env[0], `"mode":"Daemon"`, `"mode":"`+mode+`"`, 1)
		e := vaultEnv(t, append(env, "PATH=/usr/bin:/bin"), "cat", "/proc/self/environ")
		if e.status != 0 {
			t.Fatalf("%+v", e)
		}
		outputs[mode] = e.stdout
	}
	if outputs["Exec"] != outputs["Daemon"] || !strings.Contains(outputs["Daemon"], "URL=shop@db\x00P=hunter2\x00") || strings.Contains(outputs["Daemon"], "VAULT_ENV_CONFIG") {
		t.Errorf("%q", outputs)
	}
}

func TestSignalsBeforeTheStart(t *testing.T) {
	hanging := func(t *testing.T) (*fake.Vault, chan struct{}) {
		vault := fake.NewVault(t)
		release := make(chan struct{})
		vault.Lend(600, true)
		vault.Handle("GET database/creds/shop", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				io.WriteString(w, `{"lease_id":"`+fake.LeaseID+`","lease_duration":600,"renewable":true,"data":{"password":"hunter2"}}`)
			case <-r.Context().Done():
			}
		})
		return vault, release
	}
	asked := func(vault *fake.Vault) func() bool {
		return func() bool { return vault.Count("GET database/creds/shop") == 1 }
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run("a signal that would end it: "+signals.Name(s), func(t *testing.T) {
			vault, _ := hanging(t)
			r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "echo", "started")
			eventually(t, "Vault is asked", asked(vault))
			r.signal(s)
			out, _ := io.ReadAll(r.stdout)
			r.ends(128 + int(s))
			if r.wantLog("vault-env: error: received " + signals.Name(s) + " before the program started: not starting it"); len(out) > 0 {
				t.Errorf("the program prints %q", out)
			}
		})
	}
	t.Run("other signals are kept for the program", func(t *testing.T) {
		vault, release := hanging(t)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "sleep", "60")
		eventually(t, "Vault is asked", asked(vault))
		r.signal(syscall.SIGWINCH, syscall.SIGCHLD, syscall.SIGUSR1)
		close(release)
		r.ends(128 + int(syscall.SIGUSR1)) // no program has had the time to catch it
	})
	t.Run("during the delay", func(t *testing.T) {
		vault := fake.NewVault(t)
		vault.Lend(600, true)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{"delay": "1m"}, "P="+fake.Credentials), "echo", "started")
		eventually(t, "Vault is asked", asked(vault))
		time.Sleep(100 * time.Millisecond)
		r.signal(syscall.SIGTERM)
		r.ends(143)
		if r.wantLog("vault-env: error: received SIGTERM before .*"); vault.Count("PUT auth/token/revoke-self") != 1 {
			t.Errorf("the leases are not revoked: %v", vault.Seen())
		}
	})
	t.Run("the delay passes", func(t *testing.T) {
		vault := fake.NewVault(t)
		start := time.Now()
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{"delay": "300ms"}), "echo", "started")
		r.says("started")
		if r.ends(0); time.Since(start) < 300*time.Millisecond {
			t.Error("it does not")
		}
	})
}

func TestDaemonRenews(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(3, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials, "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "two renewals", func() bool { return vault.Count("PUT sys/leases/renew") >= 2 })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if seen := vault.Seen(); seen[len(seen)-1] != "PUT auth/token/revoke-self" || vault.Count("PUT auth/token/renew-self") != 0 {
		t.Errorf("%v", seen)
	}
	r.wantLog()
}

func TestDaemonWithoutLeases(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.KV1("kv/plain", `{"key":"one"}`) // with a lease_duration that is not a lease
	vault.KV2("secret/data/db", `{"password":"hunter2"}`)
	vault.Says("PUT auth/token/revoke-self", 204, "")
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "A=vault:kv/plain#key", "B=vault:secret/data/db#password", "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "no connection is held", func() bool { return vault.Connections() == 0 })
	requests := len(vault.Seen())
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if len(vault.Seen()) != requests || vault.Count("PUT sys/leases/renew") != 0 {
		t.Errorf("%v", vault.Seen())
	}
}

func TestDaemonKeepsTheProgramsToken(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":2,"renewable":true}}`)
	})
	vault.Says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":2,"renewable":true}}`)
	vault.Says("PUT auth/token/revoke-self", 204, "")
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "VAULT_TOKEN=vault:login", "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "two renewals", func() bool { return vault.Count("PUT auth/token/renew-self") >= 2 })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if vault.Count("PUT auth/token/revoke-self") != 1 {
		t.Errorf("%v", vault.Seen())
	}
}

func TestTheEndOfALease(t *testing.T) {
	ending := `vault-env: warn: the lease of "database/creds/shop" expires in [12]s \(it is not renewable\)`
	start := func(t *testing.T, leaseEnd map[string]any, command ...string) (*running, *fake.Vault) {
		vault := fake.NewVault(t)
		vault.Lend(3, false)
		vault.Says("PUT sys/leases/renew", 400, `{"errors":["lease is not renewable"]}`)
		return startDaemon(t, daemonConfig(t, vault, map[string]any{"leaseEnd": leaseEnd}, "P="+fake.Credentials), command...), vault
	}
	t.Run("the program is stopped", func(t *testing.T) {
		t.Parallel()
		r, vault := start(t, map[string]any{}, "sh", "-c", `trap "exit 5" TERM; while :; do sleep 0.01; done`)
		r.ends(5)
		r.wantLog(ending + `: sending SIGTERM to the program, then SIGKILL after 10s, so that it restarts with valid secrets`)
		if vault.Count("PUT auth/token/revoke-self") != 1 {
			t.Errorf("%v", vault.Seen())
		}
	})
	t.Run("by another signal", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"signal": "SIGQUIT"}, "sh", "-c", `trap "" TERM; trap "exit 6" QUIT; while :; do sleep 0.01; done`)
		r.ends(6)
	})
	t.Run("killed with its children, if it does not exit", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"gracePeriod": "500ms"}, "sh", "-c", `trap "" TERM; (while :; do sleep 0.01; done) & echo $!; while :; do sleep 0.01; done`)
		line, _ := r.stdout.ReadString('\n')
		child, _ := strconv.Atoi(strings.TrimSpace(line))
		r.ends(137)
		r.wantLog(`.*SIGKILL after 500ms.*`, "vault-env: warn: the program did not exit within 500ms: sending SIGKILL")
		eventually(t, "the child is gone", func() bool { s := stateOf(child); return child > 0 && (s == "gone" || s == "Z") })
	})
	t.Run("it keeps running with action Keep", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"action": "Keep"}, "sh", "-c", `sleep 4; exit 9`)
		r.ends(9)
		r.wantLog(ending + `: the program keeps running with secrets that are no longer valid`)
	})
	t.Run("revoked", func(t *testing.T) {
		t.Parallel()
		vault := fake.NewVault(t)
		vault.Lend(2, true)
		vault.Says("PUT sys/leases/renew", 403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "sleep", "60")
		r.ends(143)
		r.wantLog(`vault-env: warn: the lease of "database/creds/shop" has ended \(the token is no longer valid\): sending SIGTERM to the program.*`)
	})
}

func TestDaemonOutlivesVault(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(2, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials, "BE_PROGRAM=true"), self(t))
	r.says("ready")
	vault.Says("PUT sys/leases/renew", 503, `{"errors":["Vault is sealed"]}`)
	eventually(t, "the log says that Vault is unavailable and the lease has expired", func() bool { return strings.Contains(r.log(), "1 of 2 leases have expired") })
	r.signal(syscall.SIGUSR1)
	r.says("10")
	vault.Lend(2, true)
	eventually(t, "the log says that Vault is available again", func() bool { return strings.Contains(r.log(), "is available again") })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	r.wantLog(`vault-env: warn: Vault at https://127.0.0.1:\d+ is unavailable \(503 Service Unavailable: Vault is sealed\): retrying; the first lease expires in [01]s`,
		`vault-env: warn: Vault at \S+ has been unavailable for \ds \(503 .*\): retrying; the program keeps running although 1 of 2 leases have expired`,
		`vault-env: info: Vault at \S+ is available again after \ds`)
}

// If Vault is away, the exit is only delayed by the time limit for revoking.
func TestTheExitIsNotDelayed(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	vault.Handle("PUT auth/token/revoke-self", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "true")
	start := time.Now()
	r.ends(0)
	if took := time.Since(start); took > 2*time.Second+3*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAFailedStartRevokes(t *testing.T) {
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), script(t, 0o755, "hello"))
	r.ends(failure.CannotRun)
	if vault.Count("PUT auth/token/revoke-self") != 1 {
		t.Errorf("%v", vault.Seen())
	}
}
