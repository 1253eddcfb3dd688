package settings

import (
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/vault"
)

const fullConfig = `{
  "vault": {"address": "https://vault.example:8200/prefix/", "namespace": "team", "timeout": "3s", "proxyURL": "http://[::1]:3128",
    "tls": {"caBundle": "PEM", "caFile": "/ca.crt", "serverName": "vault.internal"},
    "auth": {"method": "JWT", "mountPath": "/auth-jwt/", "role": "shop", "tokenPath": "/token"}},
  "environment": {"fromPaths": [{"path": "/secret/data/a/", "version": 3, "prefix": "A_", "overwrite": true}, {"path": "kv/b"}],
    "ignoreMissing": true, "passthrough": ["VAULT_ADDR"], "literals": ["SPRING_*"], "allowedPaths": ["secret/data/*"], "writes": ["/pki/issue/*/"],
    "allowedNames": ["PATH"], "transit": {"keyID": "shop", "mountPath": "/transit/eu/", "batchSize": 10}},
  "process": {"mode": "Daemon", "leaseEnd": {"action": "Keep", "signal": "SIGRTMIN+3", "gracePeriod": "1m30s"}, "delay": "1m", "revokeToken": false, "refuseExec": true, "log": {"level": "Debug", "format": "JSON"}},
	  "policy": "shop/web", "terminationMessagePath": "/tmp/why",
	  "references": {"names": ["A"], "prefixes": ["", "P_"], "paths": {"B": ["=0123456789ab", "kv/*/ro"], "C": []}}
}`

// loginByToken completes the settings of the methods that send the ServiceAccount token, as the defaults do.
func loginByToken(s login.Settings) login.Settings {
	d := login.Default()
	d.Mount, d.Role, d.JWTFile, d.Environment = s.Mount, s.Role, s.JWTFile, s.Environment
	d.Token, d.TokenFile, d.TokenPath, d.TokenPathIsGuess = s.Token, s.TokenFile, s.TokenPath, s.TokenPathIsGuess
	return d
}

func TestConfig(t *testing.T) {
	got, f := Load(environment.Variables{"VAULT_ADDR=https://ignored", "VAULT_SKIP_VERIFY=true", "VAULT_ENV_CONFIG=" + fullConfig})
	if f != nil {
		t.Fatal(f)
	}
	want := Settings{
		Vault: vault.Connection{Address: "https://vault.example:8200/prefix", Namespace: "team", Timeout: 3 * time.Second, ProxyURL: "http://[::1]:3128", CAPEM: "PEM",
			CAFile: "/ca.crt", ServerName: "vault.internal"},
		Login:         loginByToken(login.Settings{Mount: "auth-jwt", Role: "shop", JWTFile: "/token", Environment: got.Login.Environment}),
		FromPaths:     []FromPath{{Path: "secret/data/a", Version: "3", Prefix: "A_", Overwrite: true}, {Path: "kv/b"}},
		IgnoreMissing: true,
		Passthrough:   map[string]bool{"VAULT_ADDR": true},
		Literals:      []string{"SPRING_*"},
		AllowedPaths:  []string{"secret/data/*"},
		Writes:        []string{"pki/issue/*"},
		BoundsWrites:  true,
		References: &References{Names: map[string]bool{"A": true}, Prefixes: []string{"", "P_"},
			Paths: map[string][]string{"B": {"=0123456789ab", "kv/*/ro"}, "C": nil}},
		AllowedNames: map[string]bool{"PATH": true},
		Transit:      vault.Transit{KeyID: "shop", MountPath: "transit/eu", BatchSize: 10},
		Mode:         ModeDaemon,
		LeaseEnd:     LeaseEnd{false, syscall.Signal(37), 90 * time.Second},
		Revoke:       vault.RevokeNever,
		RefuseExec:   true,
		Delay:        time.Minute,
		Policy:       "shop/web",

		TerminationMessage: "/tmp/why",
		LogLevel:           logging.Debug,
		LogJSON:            true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestConfigDefaults(t *testing.T) {
	got, f := parseConfig(`{"vault":{"address":"https://v","auth":{"role":"r"}}}`)
	if f != nil {
		t.Fatal(f)
	}
	want := defaultSettings()
	want.Vault.Address, want.Login.Role = "https://v", "r"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if want.Vault.Timeout != 10*time.Second || want.Login.Mount != "kubernetes" || want.LogLevel != logging.Info || want.LogJSON {
		t.Errorf("defaults %+v", want)
	}
}

// Plain http needs the policy's consent; a proxy of that kind does not, nor what Bank-Vaults' variables say.
func TestPlaintext(t *testing.T) {
	for _, config := range []string{
		`{"vault":{"address":"http://v","allowPlaintext":true,"auth":{"role":"r"}}}`,
		`{"vault":{"address":"https://v","proxyURL":"http://proxy:3128","auth":{"role":"r"}}}`,
	} {
		if _, f := Load(environment.Variables{"VAULT_ENV_CONFIG=" + config}); f != nil {
			t.Errorf("%s: %v", config, f)
		}
	}
	if s, f := Load(environment.Variables{"VAULT_ADDR=http://v"}); f != nil || s.Vault.Address != "http://v" {
		t.Errorf("%+v %v", s.Vault, f)
	}
}

// null means that a key is omitted.
func TestNull(t *testing.T) {
	want, f := parseConfig(`{"vault":{"address":"https://v","auth":{"role":"r"}}}`)
	if f != nil {
		t.Fatal(f)
	}
	got, f := parseConfig(`{"vault":{"address":"https://v","allowPlaintext":null,"namespace":null,"timeout":null,"proxyURL":null,"tls":null,"auth":{"role":"r","method":null,"mountPath":null,"tokenPath":null}},
		"environment":{"fromPaths":null,"ignoreMissing":null,"passthrough":null,"literals":null,"allowedPaths":null,"writes":null,"allowedNames":null,"transit":{"keyID":null,"mountPath":null,"batchSize":null}},
		"references":null,"process":{"mode":null,"leaseEnd":{"action":null,"signal":null,"gracePeriod":null},"delay":null,"revokeToken":null,"refuseExec":null,"log":{"level":null,"format":null}}}`)
	if f != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", f, got, want)
	}
}

func TestBadConfig(t *testing.T) {
	server := func(s string) string { return `{"vault":{"address":"https://v","auth":{"role":"r"}` + s + `}` }
	for _, c := range []struct{ config, says string }{
		{"", "invalid JSON"},
		{"{", "invalid JSON"},
		{"[]", "it is a list: write a JSON object"},
		{`{"vault":}`, "invalid JSON at byte 10"},
		{`{} x`, "invalid JSON at byte 4"},
		{`{"vault":{"address":"https://v","auth":{"role":"r"}}}{}`, "invalid JSON at byte"},
		{server(`},"vualt":{}`), "unknown key vualt: remove it"},
		{`{"Vault":{"address":"https://v"}}`, "vault.address is missing"},
		{server(`,"tls":{"skipVerify":true}}`), "unknown key vault.tls.skipVerify"},
		{server(`,"a":1,"b":2}`), "unknown key vault.a:"},
		{server(`},"environment":{"fromPaths":[{"path":"a","key":"b"}]}`), "unknown key environment.fromPaths[0].key"},
		{server(`},"process":{"log":{"file":"/x"}}`), "unknown key process.log.file"},
		{`{"vault":{"address":5}}`, "vault.address is a number: write a string"},
		{server(`},"environment":{"ignoreMissing":"yes"}`), "environment.ignoreMissing is a string: write true or false"},
		{server(`},"environment":{"fromPaths":{}}`), "environment.fromPaths is an object: write a list"},
		{server(`},"environment":{"fromPaths":["a"]}`), "environment.fromPaths[0] is a string: write a JSON object"},
		{server(`},"environment":{"passthrough":[true]}`), "environment.passthrough[0] is a boolean: write a string"},
		{server(`},"environment":{"allowedPaths":["a",null]}`), "environment.allowedPaths[1] is null: write a string"},
		{server(`},"environment":{"fromPaths":[{}]}`), "environment.fromPaths[0].path is empty"},
		{server(`},"environment":{"fromPaths":[{"path":"a","version":1.5}]}`), "environment.fromPaths[0].version is not a whole number"},
		{server(`},"environment":{"fromPaths":[{"path":"a","version":1e300}]}`), "environment.fromPaths[0].version is not a whole number"},
		{server(`},"environment":{"fromPaths":[{"path":"a","version":"1"}]}`), "environment.fromPaths[0].version is a string: write a whole number"},
		{`{}`, "vault.address is missing"},
		{`{"vault":{"address":"vault:8200"}}`, "vault.address is not the address of a Vault server"},
		{`{"vault":{"address":"ftp://v"}}`, "vault.address is not"},
		{`{"vault":{"address":"https://"}}`, "vault.address is not"},
		{`{"vault":{"address":"http://v","auth":{"role":"r"}}}`, "vault.address begins with http://, which sends tokens and secrets unencrypted: write https://"},
		{`{"vault":{"address":"HTTP://127.0.0.1:8200","auth":{"role":"r"},"allowPlaintext":false}}`, "vault.address begins with http://"},
		{`{"vault":{"address":"http://v","auth":{"role":"r"},"allowPlaintext":"yes"}}`, "vault.allowPlaintext is a string: write true or false"},
		{server(`,"allowPlaintext":true}`), "vault.allowPlaintext is for an address that begins with http://: remove it"},
		{`{"vault":{"address":"https://user:hunter2@v"}}`, "vault.address is not"},
		{`{"vault":{"address":"https://v?x=1"}}`, "vault.address is not"},
		{`{"vault":{"address":"https://v#x"}}`, "vault.address is not"},
		{`{"vault":{"address":"https://v"}}`, "vault.auth.role is missing"},
		{`{"vault":{"address":"https://v","auth":{"method":"JWT","mountPath":"../sys"}}}`, "vault.auth.mountPath is not a path"},
		{server(`,"timeout":"0s"}`), "vault.timeout is not a duration above zero"},
		{server(`,"timeout":"10"}`), "vault.timeout is not a duration"},
		{server(`},"environment":{"fromPaths":[{"path":"a"},{"path":"/"}]}`), "environment.fromPaths[1].path is empty"},
		{server(`},"environment":{"fromPaths":[{"path":"a/../b"}]}`), "environment.fromPaths[0].path is not a path"},
		{server(`},"environment":{"fromPaths":[{"path":"a#1"}]}`), "environment.fromPaths[0].path is not a path"},
		{server(`},"environment":{"fromPaths":[{"path":"a","version":-1}]}`), "environment.fromPaths[0].version is not a whole number from 0"},
		{server(`},"environment":{"transit":{"batchSize":-1}}`), "environment.transit.batchSize is not a whole number"},
		{server(`},"environment":{"transit":{"keyID":"a/../b"}}`), "environment.transit.keyID is not a path"},
		{server(`},"environment":{"transit":{"mountPath":7}}`), "environment.transit.mountPath is a number"},
		{server(`},"environment":{"transit":{"key":"x"}}`), "unknown key environment.transit.key"},
		{server(`},"environment":{"allowedNames":["A",1]}`), "environment.allowedNames[1] is a number"},
		{server(`},"environment":{"literals":["A",1]}`), "environment.literals[1] is a number"},
		{server(`},"process":{"mode":"daemon"}`), "process.mode is unknown: write Exec or Daemon"},
		{server(`},"process":{"leaseEnd":{"action":"Reload"}}`), "process.leaseEnd.action is unknown: write Restart or Keep"},
		{server(`},"process":{"leaseEnd":{"signal":"SIGSTOP"}}`), "process.leaseEnd.signal is not a signal that ends a program"},
		{server(`},"process":{"leaseEnd":{"gracePeriod":"-1s"}}`), "process.leaseEnd.gracePeriod is not a duration"},
		{server(`},"process":{"leaseEnd":{"gracePeriod":10}}`), "process.leaseEnd.gracePeriod is a number"},
		{server(`},"process":{"leaseEnd":"Restart"}`), "process.leaseEnd is a string"},
		{server(`},"process":{"leaseEnd":{"grace":"1s"}}`), "unknown key process.leaseEnd.grace"},
		{server(`},"process":{"revokeToken":"yes"}`), "process.revokeToken is a string: write true or false"},
		{server(`},"process":{"refuseExec":1}`), "process.refuseExec is a number"},
		{server(`},"environment":{"allowedPaths":[""]}`), "environment.allowedPaths[0] is empty"},
		{server(`},"environment":{"writes":["a",null]}`), "environment.writes[1] is null: write a string"},
		{server(`},"environment":{"writes":["a","/"]}`), "environment.writes[1] is empty"},
		{server(`},"environment":{"writes":["a#b"]}`), "environment.writes[0] is not a path"},
		{server(`},"references":[]`), "references is a list: write a JSON object"},
		{server(`},"references":{"name":["A"]}`), "unknown key references.name:"},
		{server(`},"references":{"names":"A"}`), "references.names is a string: write a list"},
		{server(`},"references":{"prefixes":[1]}`), "references.prefixes[0] is a number: write a string"},
		{server(`},"references":{"paths":["A"]}`), "references.paths is a list: write a JSON object"},
		{server(`},"references":{"paths":{"A":"a"}}`), "references.paths.A is a string: write a list"},
		{server(`},"references":{"paths":{"A":["a",null]}}`), "references.paths.A[1] is null: write a string"},
		{server(`,"proxyURL":"proxy:3128"}`), "vault.proxyURL is not the URL of a proxy: write http://HOST:PORT or https://HOST:PORT"},
		{server(`,"proxyURL":"http://user:hunter2@proxy:3128"}`), "vault.proxyURL is not"},
		{server(`,"proxyURL":"http://proxy"}`), "vault.proxyURL is not"},
		{server(`,"proxyURL":"http://proxy:0"}`), "vault.proxyURL is not"},
		{server(`,"proxyURL":"http://proxy:3128/"}`), "vault.proxyURL is not"},
		{server(`,"proxyURL":"http://proxy:3128?x"}`), "vault.proxyURL is not"},
		{server(`,"proxyURL":"socks5://proxy:1080"}`), "vault.proxyURL is not"},
		{server(`},"process":{"delay":"-1s"}`), "process.delay is not a duration"},
		{server(`},"process":{"log":{"level":"debug"}}`), "process.log.level is unknown: write Debug, Info, Warn or Error"},
		{server(`},"process":{"log":{"format":"json"}}`), "process.log.format is unknown: write Text or JSON"},
	} {
		_, f := Load(environment.Variables{"VAULT_ENV_CONFIG=" + c.config})
		switch {
		case f == nil:
			t.Errorf("%s: no failure", c.config)
		case f.Status != failure.Settings || !strings.HasPrefix(f.Message, "VAULT_ENV_CONFIG: ") || !strings.Contains(f.Message, c.says):
			t.Errorf("%s: %d %s; want %q", c.config, f.Status, f.Message, c.says)
		case strings.Contains(f.Message, "hunter2"):
			t.Errorf("%s: prints the password", c.config)
		}
	}
}

func TestBankVaultsVariables(t *testing.T) {
	got, f := Load(environment.Variables{
		"VAULT_ADDR=https://vault.example:8200/", "VAULT_NAMESPACE=team", "VAULT_CLIENT_TIMEOUT=30", "VAULT_CACERT=/ca", "VAULT_CAPATH=/cas",
		"VAULT_CLIENT_CERT=/c", "VAULT_CLIENT_KEY=/k", "VAULT_TLS_SERVER_NAME=sn", "VAULT_SKIP_VERIFY=true", "VAULT_AUTH_METHOD=kubernetes",
		"VAULT_PATH=k8s/west", "VAULT_ROLE=shop", "VAULT_JWT_FILE=/jwt", "VAULT_TOKEN=hvs.x", "VAULT_TOKEN_FILE=/tf", "VAULT_TOKEN_PATH=/tp",
		"HOME=/root", "VAULT_IGNORE_MISSING_SECRETS=true", "VAULT_ENV_PASSTHROUGH=VAULT_ADDR, VAULT_ROLE,", "VAULT_ENV_FROM_PATH=secret/data/a, kv/b#3, kv/c#-1, kv/d#",
		"VAULT_ENV_DELAY=2s", "VAULT_LOG_LEVEL=WARN", "VAULT_JSON_LOG=true", "VAULT_TRANSIT_KEY_ID=x", "VAULT_TRANSIT_PATH=/t//eu", "VAULT_TRANSIT_BATCH_SIZE=7", "VAULT_ENV_DAEMON=false", "VAULT_REVOKE_TOKEN=true", "VAULT_MFA=x",
	})
	if f != nil {
		t.Fatal(f)
	}
	want := Settings{
		Vault: vault.Connection{Address: "https://vault.example:8200", Namespace: "team", Timeout: 30 * time.Second, CAFile: "/ca",
			CertFile: "/c", KeyFile: "/k", ServerName: "sn", SkipVerify: true, FollowsEnvironment: true},
		Login: loginByToken(login.Settings{Mount: "k8s/west", Role: "shop", JWTFile: "/jwt", Environment: got.Login.Environment,
			Token: "hvs.x", TokenFile: "/tf", TokenPath: "/tp"}),
		FromPaths:     []FromPath{{Path: "secret/data/a"}, {Path: "kv/b", Version: "3"}, {Path: "kv/c"}, {Path: "kv/d"}},
		IgnoreMissing: true,
		Passthrough:   map[string]bool{"VAULT_ADDR": true, "VAULT_ROLE": true},
		AllowedNames:  map[string]bool{},
		Transit:       vault.Transit{KeyID: "x", MountPath: "t/eu", BatchSize: 7},
		LeaseEnd:      LeaseEnd{true, syscall.SIGTERM, 10 * time.Second},
		Revoke:        vault.RevokeAny,
		Delay:         2 * time.Second,
		LogLevel:      logging.Warn,
		LogJSON:       true,
		Strip:         true,

		TerminationMessage: "/dev/termination-log",

		Warnings: []string{"VAULT_MFA is not supported and is ignored"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestBankVaultsDefaults(t *testing.T) {
	got, f := Load(environment.Variables{"HOME=/home/app", "VAULT_ROLE=", "VAULT_TOKEN=vault:login"})
	if f != nil {
		t.Fatal(f)
	}
	want := Settings{
		Vault: vault.Connection{Address: "https://127.0.0.1:8200", Timeout: 10 * time.Second, FollowsEnvironment: true},
		Login: loginByToken(login.Settings{Mount: "kubernetes", Role: "default", JWTFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
			Environment: got.Login.Environment, TokenPath: "/home/app/.vault-token", TokenPathIsGuess: true}),
		Transit:      vault.Transit{KeyID: "", MountPath: "transit", BatchSize: 25},
		LeaseEnd:     LeaseEnd{true, syscall.SIGTERM, 10 * time.Second},
		Passthrough:  map[string]bool{},
		AllowedNames: map[string]bool{},
		LogLevel:     logging.Info,
		Strip:        true,

		TerminationMessage: "/dev/termination-log",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestBankVaultsVariablesInDetail(t *testing.T) {
	one := func(entries ...string) Settings {
		t.Helper()
		s, f := Load(entries)
		if f != nil {
			t.Fatalf("%q: %s", entries, f.Message)
		}
		return s
	}
	if s := one("VAULT_CAPATH=/cas"); s.Vault.CADir != "/cas" {
		t.Errorf("VAULT_CAPATH alone: %+v", s.Vault)
	}
	if s := one("VAULT_CACERT_BYTES=PEM", "VAULT_CAPATH=/cas"); s.Vault.CAPEM != "PEM" || s.Vault.CADir != "" {
		t.Errorf("VAULT_CACERT_BYTES: %+v", s.Vault)
	}
	if s := one("VAULT_AGENT_ADDR=http://127.0.0.1:8007", "VAULT_ADDR=https://v"); s.Vault.Address != "http://127.0.0.1:8007" {
		t.Errorf("VAULT_AGENT_ADDR: %+v", s.Vault)
	}
	if s := one("KUBERNETES_SERVICE_ACCOUNT_TOKEN=/k", "VAULT_JWT_FILE=/j"); s.Login.JWTFile != "/k" {
		t.Errorf("KUBERNETES_SERVICE_ACCOUNT_TOKEN: %+v", s.Vault)
	}
	if s := one("VAULT_TOKEN=vault:secret/data/a#token"); s.Login.Token != "" {
		t.Errorf("a reference is used as a token: %+v", s.Vault)
	}
	if s := one("VAULT_CLIENT_TIMEOUT=1m30s", "VAULT_ENV_DELAY=5"); s.Vault.Timeout != 90*time.Second || s.Delay != 5*time.Second {
		t.Errorf("durations: %+v", s)
	}
	for retries, attempts := range map[string]int{"": 0, "0": 1, "2": 3} {
		if s := one("VAULT_MAX_RETRIES=" + retries); s.Vault.Attempts != attempts {
			t.Errorf("VAULT_MAX_RETRIES=%s: %d", retries, s.Vault.Attempts)
		}
	}
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR"} {
		if s := one(name + "=unix:///run/vault/agent.sock"); s.Vault.Address != "unix:///run/vault/agent.sock" {
			t.Errorf("%s: %+v", name, s.Vault)
		}
	}
	if s := one("VAULT_PROXY_ADDR=http://a:1", "VAULT_HTTP_PROXY=http://b:1"); s.Vault.ProxyURL != "http://a:1" || len(s.Warnings) > 0 {
		t.Errorf("proxies: %+v", s)
	}
	if s := one("VAULT_PROXY_ADDR=http://user:hunter2@a:1", "VAULT_HTTP_PROXY=http://b:1"); s.Vault.ProxyURL != "http://b:1" || len(s.Warnings) != 1 || s.Warnings[0] != "VAULT_PROXY_ADDR is ignored: write http://HOST:PORT or https://HOST:PORT" {
		t.Errorf("proxies: %+v", s)
	}
	for _, name := range notSupported {
		if s := one(name + "=x"); len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], name+" is not supported") {
			t.Errorf("%s: %q", name, s.Warnings)
		}
	}
	if s := one("VAULT_LOG_LEVEL=loud"); s.LogLevel != logging.Info || len(s.Warnings) != 1 {
		t.Errorf("log level: %+v", s)
	}
	if s := one("VAULT_ENV_DAEMON=true"); s.Mode != ModeDaemon {
		t.Errorf("VAULT_ENV_DAEMON=true: %+v", s)
	}
	if s := one("VAULT_REVOKE_TOKEN=false"); s.Revoke != vault.RevokeNever {
		t.Errorf("VAULT_REVOKE_TOKEN=false: %+v", s)
	}
	if s := one("VAULT_SKIP_VERIFY=false"); s.Vault.SkipVerify {
		t.Error("VAULT_SKIP_VERIFY=false counts as true")
	}
}

func TestBadBankVaultsVariables(t *testing.T) {
	for _, c := range []struct{ entry, says string }{
		{"VAULT_ADDR=vault:8200", "VAULT_ADDR is not the address"},
		{"VAULT_AGENT_ADDR=unix://x", "VAULT_AGENT_ADDR is not the address of a socket: write unix:///PATH"},
		{"VAULT_ADDR=unix:///" + strings.Repeat("x", 200), "VAULT_ADDR is not the address of a socket: write unix:///PATH"},
		{"VAULT_MAX_RETRIES=-1", "VAULT_MAX_RETRIES is not a whole number"},
		{"VAULT_MAX_RETRIES=few", "VAULT_MAX_RETRIES is not a whole number"},
		{"VAULT_SKIP_VERIFY=yes", "VAULT_SKIP_VERIFY is neither true nor false"},
		{"VAULT_JSON_LOG=on", "VAULT_JSON_LOG is neither"},
		{"VAULT_IGNORE_MISSING_SECRETS=maybe", "VAULT_IGNORE_MISSING_SECRETS is neither"},
		{"VAULT_CLIENT_TIMEOUT=soon", "VAULT_CLIENT_TIMEOUT is not a duration"},
		{"VAULT_CLIENT_TIMEOUT=0", "VAULT_CLIENT_TIMEOUT is zero"},
		{"VAULT_ENV_DELAY=-5s", "VAULT_ENV_DELAY is not a duration"},
		{"VAULT_PATH=a/../b", "VAULT_PATH is not a path"},
		{"VAULT_ENV_FROM_PATH=a,b#x", "VAULT_ENV_FROM_PATH: a version is not a whole number"},
		{"VAULT_ENV_FROM_PATH=a,#3", "VAULT_ENV_FROM_PATH is empty"},
		{"VAULT_ENV_DAEMON=yes", "VAULT_ENV_DAEMON is neither true nor false"},
		{"VAULT_CLIENT_CERT=/c", "go together"},
		{"VAULT_REVOKE_TOKEN=perhaps", "VAULT_REVOKE_TOKEN is neither"},
		{"VAULT_TRANSIT_BATCH_SIZE=0", "VAULT_TRANSIT_BATCH_SIZE is not a positive whole number"},
		{"VAULT_TRANSIT_BATCH_SIZE=many", "VAULT_TRANSIT_BATCH_SIZE is not"},
		{"VAULT_TRANSIT_KEY_ID=../x", "VAULT_TRANSIT_KEY_ID is not a path"},
		{"VAULT_TRANSIT_PATH=?", "VAULT_TRANSIT_PATH is not a path"},
	} {
		if _, f := Load(environment.Variables{c.entry}); f == nil || f.Status != failure.Settings || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v; want %q", c.entry, f, c.says)
		}
	}
}
