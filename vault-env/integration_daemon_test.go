package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
)

// startDaemon starts the real executable in daemon mode, with a role whose tokens have the TTL of the test.
func (v *realVault) startDaemon(t *testing.T, role string, change func(fake.Fields), env []string, args ...string) *running {
	t.Helper()
	config := v.config(func(c fake.Fields) {
		c["process"] = fake.Fields{"mode": "Daemon", "leaseEnd": fake.Fields{"gracePeriod": "2s"}}
		c["vault"].(fake.Fields)["auth"].(fake.Fields)["role"] = role
		if change != nil {
			change(c)
		}
	})
	r := &running{t: t, cmd: exec.Command(v.binary, args...)}
	r.cmd.Env = append([]string{config, "PATH=/usr/bin:/bin"}, env...)
	r.cmd.Stderr, r.cmd.WaitDelay = r, 10*time.Millisecond
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.(*os.File).SetReadDeadline(time.Now().Add(time.Minute))
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})
	return r
}

// leases returns the number of leases of certificates.
func (v *realVault) leases() int {
	v.t.Helper()
	request, err := http.NewRequest("LIST", "https://"+v.address+"/v1/sys/leases/lookup/pki-daemon/issue/shop", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", rootToken)
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	var decoded struct{ Data struct{ Keys []string } } // none at all: 404
	json.NewDecoder(response.Body).Decode(&decoded)
	return len(decoded.Data.Keys)
}

func (v *realVault) configureDaemon() {
	v.call("POST", "sys/mounts/pki-daemon", fake.Fields{"type": "pki"})
	v.call("POST", "pki-daemon/root/generate/internal", fake.Fields{"common_name": "test", "ttl": "700h"})
	v.call("POST", "pki-daemon/roles/shop", fake.Fields{"allow_any_name": true, "enforce_hostnames": false, "generate_lease": true, "max_ttl": "600h"})
	v.call("PUT", "sys/policies/acl/daemon", fake.Fields{"policy": `path "pki-daemon/issue/shop" { capabilities = ["update"] } path "kv1/shop" { capabilities = ["read"] }`})
	for role, token := range map[string]fake.Fields{
		"long":    {"token_ttl": "1h"},
		"short":   {"token_ttl": "3s", "token_max_ttl": "1h"},
		"longest": {"token_ttl": "5s", "token_max_ttl": "12s"},
		"batch":   {"token_ttl": "5s", "token_type": "batch"},
	} {
		settings := fake.Fields{"role_type": "jwt", "bound_audiences": []string{"vault"}, "user_claim": "sub", "token_policies": []string{"daemon"}}
		for key, value := range token {
			settings[key] = value
		}
		v.call("POST", "auth/jwt/role/"+role, settings)
	}
}

// certificate is a dynamic secret whose lease is not renewable, like all leases of its engine.
func certificateReference(ttl string) string {
	return `CERT=>>vault:pki-daemon/issue/shop#serial_number#{"common_name":"web","ttl":"` + ttl + `"}`
}

func (v *realVault) testDaemon(t *testing.T) {
	v.configureDaemon()
	const program = `trap 'echo told; exit 7' TERM; trap 'echo asked' USR1; echo "ready"; while :; do sleep 0.05; done`
	told := func(t *testing.T, r *running) {
		t.Helper()
		r.says("ready")
		r.says("told")
		r.ends(7)
	}
	t.Run("a token is renewed as long as there is a lease, and both are revoked", func(t *testing.T) {
		size := v.auditSize()
		r := v.startDaemon(t, "short", nil, []string{certificateReference("1h")}, "sh", "-c", program)
		r.says("ready")
		count := func() int { return strings.Count(strings.Join(v.requests(size), "\n"), "update auth/token/renew-self") }
		eventually(t, "four renewals", func() bool { return count() >= 4 })
		if n := v.leases(); n != 1 {
			t.Errorf("%d leases", n)
		}
		if kb := residentMemory(r.pid()); kb > 12<<10 {
			t.Errorf("%d KiB of memory", kb)
		} else {
			t.Logf("%d KiB of memory", kb)
		}
		r.signal(syscall.SIGTERM)
		r.says("told")
		r.ends(7)
		r.wantLog()
		eventually(t, "no lease", func() bool { return v.leases() == 0 })
	})
	t.Run("the token's maximum TTL", func(t *testing.T) {
		start := time.Now()
		r := v.startDaemon(t, "longest", nil, []string{certificateReference("1h")}, "sh", "-c", program)
		told(t, r)
		if took := time.Since(start); took < 8*time.Second || took > 13*time.Second {
			t.Errorf("told after %s", took)
		}
		r.wantLog(`vault-env: info: the token expires in \ds: .*`, `vault-env: warn: the token expires in \ds, and all leases with it \(it has reached its maximum TTL\): sending SIGTERM to the program.*`)
	})
	t.Run("a batch token", func(t *testing.T) {
		r := v.startDaemon(t, "batch", nil, []string{"VAULT_TOKEN=vault:login"}, "sh", "-c", program)
		told(t, r)
		r.wantLog(`vault-env: warn: the token expires in \ds, and all leases with it \(it is not renewable\).*`)
	})
	t.Run("a lease that is not renewable", func(t *testing.T) {
		r := v.startDaemon(t, "long", nil, []string{certificateReference("5s")}, "sh", "-c", program)
		told(t, r)
		r.wantLog(`vault-env: warn: the lease of "pki-daemon/issue/shop" expires in \ds \(it is not renewable\).*`)
	})
	t.Run("a token that is revoked", func(t *testing.T) {
		r := v.startDaemon(t, "short", nil, []string{certificateReference("1h"), "VAULT_TOKEN=vault:login"}, "sh", "-c", `echo "$VAULT_TOKEN"; `+program)
		token, _ := r.stdout.ReadString('\n')
		v.call("POST", "auth/token/revoke", fake.Fields{"token": strings.TrimSpace(token)})
		told(t, r)
		r.wantLog(`vault-env: warn: the token has ended, and all leases with it \(the token is no longer valid\).*`)
	})
	t.Run("a given token is looked up, renewed, and not revoked", func(t *testing.T) {
		const token = "given-to-this-test"
		v.call("POST", "auth/token/create", fake.Fields{"id": token, "policies": []string{"daemon", "default"}, "ttl": "3s"})
		path := fake.File(t, "token", token)
		size := v.auditSize()
		r := &running{t: t, cmd: exec.Command(v.binary, "sh", "-c", program)}
		r.cmd.Env = []string{"PATH=/usr/bin:/bin", "VAULT_ENV_DAEMON=true", "VAULT_ADDR=https://" + v.address, "VAULT_CACERT=" + v.caFile(), "VAULT_TOKEN_FILE=" + path, certificateReference("1h")}
		out, _ := r.cmd.StdoutPipe()
		r.stdout, r.cmd.Stderr = bufio.NewReader(out), r
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r.says("ready")
		eventually(t, "two renewals", func() bool {
			return strings.Count(strings.Join(v.requests(size), "\n"), "update auth/token/renew-self") >= 2
		})
		r.signal(syscall.SIGTERM)
		r.says("told")
		r.ends(7)
		asked := strings.Join(v.requests(size), "\n")
		if !strings.Contains(asked, "read auth/token/lookup-self") || !strings.Contains(asked, "update sys/leases/revoke") {
			t.Errorf("asked %s", asked)
		}
		v.call("POST", "auth/token/lookup", fake.Fields{"token": token}) // it still exists
	})
	t.Run("nothing to renew", func(t *testing.T) {
		size := v.auditSize()
		r := v.startDaemon(t, "short", nil, []string{"X=vault:kv1/shop#key"}, "sh", "-c", program)
		r.says("ready")
		time.Sleep(4 * time.Second)
		v.wantRequests(t, size, "read kv1/shop")
		r.signal(syscall.SIGTERM)
		r.says("told")
		r.ends(7)
	})
	t.Run("Vault away for longer than the token lives", func(t *testing.T) {
		p := startSwitch(t, v.address)
		r := v.startDaemon(t, "short", func(c fake.Fields) { c["vault"].(fake.Fields)["address"] = "https://" + p.address() }, []string{certificateReference("1h")}, "sh", "-c", program)
		r.says("ready")
		p.set(false)
		eventually(t, "the log says that the token has expired", func() bool { return strings.Contains(r.log(), "1 of 2 leases have expired") })
		time.Sleep(time.Second)
		r.signal(syscall.SIGUSR1)
		r.says("asked")
		p.set(true)
		r.says("told")
		r.ends(7)
		r.wantLog(`vault-env: warn: Vault at \S+ is unavailable \(.*\): retrying; the first lease expires in \ds`,
			`vault-env: warn: Vault at \S+ has been unavailable for \ds \(.*\): retrying; the program keeps running although 1 of 2 leases have expired`,
			`vault-env: info: Vault at \S+ is available again after \d+s`,
			`vault-env: warn: the token has ended, and all leases with it .*: sending SIGTERM to the program, then SIGKILL after 2s.*`)
	})
	t.Run("Vault away briefly", func(t *testing.T) {
		p := startSwitch(t, v.address)
		r := v.startDaemon(t, "short", func(c fake.Fields) { c["vault"].(fake.Fields)["address"] = "https://" + p.address() }, []string{certificateReference("1h")}, "sh", "-c", program)
		r.says("ready")
		p.set(false)
		eventually(t, "the log says that Vault is unavailable", func() bool { return strings.Contains(r.log(), "is unavailable") })
		p.set(true)
		eventually(t, "the log says that Vault is available again", func() bool { return strings.Contains(r.log(), "is available again") })
		r.signal(syscall.SIGTERM)
		r.says("told")
		r.ends(7)
	})
}

func residentMemory(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(after)[0])
	return kb
}

// netSwitch is a proxy in front of a server that can be turned off: then it accepts no connections and closes those
// that are open.
type netSwitch struct {
	listener net.Listener
	mu       sync.Mutex
	on       bool
	conns    []net.Conn
}

func startSwitch(t *testing.T, target string) *netSwitch {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &netSwitch{listener: listener, on: true}
	t.Cleanup(func() {
		listener.Close()
		s.set(false)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go s.join(client, target)
		}
	}()
	return s
}

func (s *netSwitch) address() string { return s.listener.Addr().String() }

func (s *netSwitch) set(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func (s *netSwitch) join(client net.Conn, target string) {
	server, err := net.Dial("tcp", target)
	s.mu.Lock()
	if err != nil || !s.on {
		s.mu.Unlock()
		client.Close()
		return
	}
	s.conns = append(s.conns, client, server)
	s.mu.Unlock()
	go io.Copy(server, client)
	io.Copy(client, server)
	client.Close()
}
