package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// bankVaults returns the variables of a container for Bank-Vaults.
func bankVaults(t *testing.T, v *fake.Vault) []string {
	return []string{"PATH=/usr/bin:/bin", "VAULT_ADDR=" + v.URL, "VAULT_CACERT_BYTES=" + v.CaPEM(), "VAULT_ROLE=" + fake.Role, "VAULT_JWT_FILE=" + fake.File(t, "jwt", fake.JWT)}
}

func TestMaxRetries(t *testing.T) {
	for retries := range 4 {
		t.Run(fmt.Sprint(retries), func(t *testing.T) {
			v := fake.NewVault(t)
			v.KV1("kv/a", `{"k":"v"}`)
			var logins atomic.Int32
			v.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, _ *http.Request) {
				logins.Add(1)
				w.WriteHeader(503)
			})
			e := vaultEnv(t, append(bankVaults(t, v), fmt.Sprintf("VAULT_MAX_RETRIES=%d", retries), "VAULT_CLIENT_TIMEOUT=10m", "X=vault:kv/a#k"), "echo").afterWarning()
			e.wantLine(t, failure.Unavailable, "VAULT_MAX_RETRIES allows no other attempt")
			if got := int(logins.Load()); got != retries+1 {
				t.Errorf("%d attempts; want %d", got, retries+1)
			}
			// One attempt is enough if it succeeds.
			v.Handle("POST auth/kubernetes/login", v.Login)
			if e := vaultEnv(t, append(bankVaults(t, v), fmt.Sprintf("VAULT_MAX_RETRIES=%d", retries), "X=vault:kv/a#k"), "sh", "-c", "echo $X"); e.status != 0 || e.stdout != "v\n" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// The program's HOME may be anything. vault-env only looks there for a token, as Vault's own client does.
func TestHomeThatIsNotOurs(t *testing.T) {
	v := fake.NewVault(t)
	v.KV1("kv/a", `{"k":"v"}`)
	home := func(make func(token string) error) string {
		dir := t.TempDir()
		if err := make(filepath.Join(dir, ".vault-token")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	file := fake.File(t, "file", "")
	for name, dir := range map[string]string{
		"none":                   "/nonexistent",
		"a file":                 file,
		"a relative path":        "nowhere",
		"a reference":            "vault:kv/a#k",
		"too long":               "/" + strings.Repeat("x", 5000),
		"with a folder":          home(func(token string) error { return os.Mkdir(token, 0o700) }),
		"with a pipe":            home(func(token string) error { return syscall.Mkfifo(token, 0o600) }),
		"with a link to itself":  home(func(token string) error { return os.Symlink(token, token) }),
		"with an empty file":     home(func(token string) error { return os.WriteFile(token, nil, 0o600) }),
		"with a token":           home(func(token string) error { return os.WriteFile(token, []byte(fake.Token+"\n"), 0o600) }),
		"with a link to a token": home(func(token string) error { return os.Symlink(fake.File(t, "token", fake.Token), token) }),
	} {
		t.Run(name, func(t *testing.T) {
			if e := vaultEnv(t, append(bankVaults(t, v), "HOME="+dir, "X=vault:kv/a#k"), "sh", "-c", "echo $X"); e.status != 0 || e.stdout != "v\n" || e.stderr != "" {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("of another user", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root can run as another user")
		}
		executable, err := product()
		if err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Dir(executable), 0o755)
		jwt := filepath.Join(filepath.Dir(executable), "jwt")
		if err := os.WriteFile(jwt, []byte(fake.JWT), 0o644); err != nil {
			t.Fatal(err)
		}
		ours := home(func(token string) error { return os.WriteFile(token, []byte(fake.Token), 0o600) })
		os.Chmod(ours, 0o700)
		cmd := exec.Command(executable, "sh", "-c", "echo $X")
		cmd.Env = append(bankVaults(t, v), "HOME="+ours, "X=vault:kv/a#k")
		for i, entry := range cmd.Env {
			if strings.HasPrefix(entry, "VAULT_JWT_FILE=") {
				cmd.Env[i] = "VAULT_JWT_FILE=" + jwt
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if e := end(t, cmd); e.status != 0 || e.stdout != "v\n" || e.stderr != "" {
			t.Errorf("%+v", e)
		}
	})
	// A setting that names a file is not a guess.
	vaultEnv(t, append(bankVaults(t, v), "VAULT_TOKEN_PATH="+file+"/x", "X=vault:kv/a#k"), "echo").wantLine(t, failure.Settings, "the token file")
}

// The listener of a Vault Agent or Proxy may be a socket.
func TestUnixSockets(t *testing.T) {
	v := fake.NewVault(t)
	v.KV1("kv/a", `{"k":"v"}`)
	dir, err := os.MkdirTemp("", "socket-") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("unix", dir+"/agent.sock")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: v, ErrorLog: fake.Quiet}
	go server.Serve(listener)
	defer server.Close()
	jwt := fake.File(t, "jwt", fake.JWT)
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR"} {
		for _, own := range []string{"A=1", "VAULT_ENV_DAEMON=true", "VAULT_TOKEN=" + fake.Token, "HTTP_PROXY=http://127.0.0.1:1", "VAULT_PROXY_ADDR=http://127.0.0.1:1"} {
			env := []string{"PATH=/usr/bin:/bin", name + "=unix://" + dir + "/agent.sock", "VAULT_ROLE=" + fake.Role, "VAULT_JWT_FILE=" + jwt, own, "X=vault:kv/a#k"}
			if e := vaultEnv(t, env, "sh", "-c", "echo $X"); e.status != 0 || e.stdout != "v\n" || e.stderr != "" {
				t.Errorf("%s, %s: %+v", name, own, e)
			}
		}
	}
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ADDR=unix://" + dir + "/absent", "VAULT_MAX_RETRIES=0", "VAULT_TOKEN=x", "X=vault:kv/a#k"}, "echo")
	e.wantLine(t, failure.Unavailable, "Vault at unix://"+dir+"/absent was not available")
}

// What containers for Bank-Vaults have in their environment, and what the program gets: one row for each form that its
// documentation and its webhook know.
func TestTheFormsOfBankVaults(t *testing.T) {
	v := fake.NewVault(t)
	v.KV2("secret/data/till", `{"USER":"till","PIN":"4711","limit":250,"open":true,"note":null}`)
	v.Says("GET secret/data/till?version=2", 200, fake.KV2Answer(`{"PIN":"0815"}`, `"deletion_time":"","destroyed":false`))
	v.KV1("kv/drawer", `{"key":"brass","data":"of version 1"}`)
	v.Says("PUT pki/issue/till", 200, `{"lease_id":"","data":{"certificate":"CERT","private_key":"KEY"}}`)
	var transit fake.Transit
	v.Handle(fake.DecryptPath, transit.Decrypt)
	for _, c := range []struct{ value, want string }{
		{"vault:secret/data/till#PIN", "4711"},
		{"vault:secret/data/till#PIN#2", "0815"},
		{"vault:secret/data/till#limit", "250"},
		{"vault:secret/data/till#open", "true"},
		{"vault:secret/data/till#note", ""},
		{"vault:kv/drawer#key", "brass"},
		{"vault:kv/drawer#data", "of version 1"},
		{"vault:secret/data/till#${.USER}-${.PIN | b64enc}", "till-NDcxMQ=="},
		{"vault:secret/data/till#It is ${title .USER}", "It is Till"},
		{"pg://${vault:secret/data/till#USER}:${vault:secret/data/till#PIN}@db", "pg://till:4711@db"},
		{`{"a":"${vault:secret/data/till#USER}","b":"${vault:kv/drawer#key}"}`, `{"a":"till","b":"brass"}`},
		{"a ${vault:secret/data/till#${.PIN | urlquery}} b", "a 4711 b"},
		{`>>vault:pki/issue/till#certificate#{"common_name":"till.example"}`, "CERT"},
		{`${>>vault:pki/issue/till#private_key#{"common_name":"till.example"}}`, "KEY"},
		{"vault", "vault"},
		{"redis://vault:8200", "redis://vault:8200"},
		{"", ""},
	} {
		t.Run(c.value, func(t *testing.T) {
			e := vaultEnv(t, append(bankVaults(t, v), "VALUE="+c.value), "sh", "-c", `printf %s "$VALUE"`)
			if e.status != 0 || e.stdout != c.want || e.stderr != "" {
				t.Errorf("%+v; want %q", e, c.want)
			}
		})
	}
	t.Run("keys of one write and of one read share a request", func(t *testing.T) {
		before := len(v.Seen())
		e := vaultEnv(t, append(bankVaults(t, v), `A=>>vault:pki/issue/till#certificate#{"a":"b"}`, `B=>>vault:pki/issue/till#private_key#{"a":"b"}`,
			"C=vault:kv/drawer#key", "D=vault:kv/drawer#data", "VAULT_REVOKE_TOKEN=false"), "env")
		if e.stdout != "PATH=/usr/bin:/bin\nA=CERT\nB=KEY\nC=brass\nD=of version 1\n" || len(v.Seen())-before != 3 {
			t.Errorf("%+v, %v", e, v.Seen()[before:])
		}
	})
	t.Run("the login token", func(t *testing.T) {
		if e := vaultEnv(t, append(bankVaults(t, v), "VAULT_TOKEN=vault:login"), "sh", "-c", `printf %s "$VAULT_TOKEN"`); e.stdout != fake.Token {
			t.Errorf("%+v", e)
		}
	})
	t.Run("from a path, where the container's own variable counts", func(t *testing.T) {
		e := vaultEnv(t, append(bankVaults(t, v), "VAULT_ENV_FROM_PATH=kv/drawer", "key=own"), "env")
		if e.stdout != "PATH=/usr/bin:/bin\nkey=own\ndata=of version 1\n" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("a missing secret that is ignored", func(t *testing.T) {
		e := vaultEnv(t, append(bankVaults(t, v), "VAULT_IGNORE_MISSING_SECRETS=true", "A=vault:kv/none#key", "B=1"), "env")
		if e.status != 0 || e.stdout != "PATH=/usr/bin:/bin\nB=1\n" || !strings.Contains(e.stderr, "A is not set") {
			t.Errorf("%+v", e)
		}
	})
}
