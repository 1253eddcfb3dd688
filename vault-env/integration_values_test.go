package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

func (v *realVault) testValues(t *testing.T) {
	e := v.run([]string{
		v.config(func(c fake.Fields) {
			c["environment"] = fake.Fields{"fromPaths": []fake.Fields{{"path": "kv1/shop", "prefix": "KV1_"}, {"path": "secret/data/shop/db", "version": 1, "prefix": "OLD_"}}, "allowedPaths": []string{"secret/data/shop/*", "kv1/*"}}
		}),
		"PASSWORD=vault:secret/data/shop/db#password", "OLD=vault:secret/data/shop/db#password#1", "PORT=vault:secret/data/shop/db#port", "ON=vault:secret/data/shop/db#on",
		"URL=postgres://${vault:secret/data/shop/db#user}:${vault:secret/data/shop/db#password}@db", "HOSTS=vault:secret/data/shop/db#${join \",\" .hosts}",
		"REFERENCE=vault:secret/data/shop/db#reference", "ONE=vault:kv1/shop#key", "FIELD=vault:kv1/data-field#key", "INNER=vault:kv1/data-field#${.data.a}",
		"VAULT_ADDR=mine", "PLAIN=text",
	}, "env")
	want := `PATH=/usr/bin:/bin
PASSWORD=hunter2
OLD=first
PORT=5432
ON=true
URL=postgres://shop:hunter2@db
HOSTS=a,b
REFERENCE=vault:secret/data/shop/db#user
ONE=one
FIELD=k
INNER=b
VAULT_ADDR=mine
PLAIN=text
KV1_key=one
KV1_n=1.5
OLD_password=first
OLD_user=shop
`
	if e.status != 0 || e.stdout != want || e.stderr != "" {
		t.Errorf("status %d\n got %s\nwant %s\nstderr %s", e.status, e.stdout, want, e.stderr)
	}
}

func (v *realVault) testRequests(t *testing.T) {
	env := []string{v.config()}
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("read secret/data/shop/p%02d", i))
		env = append(env, fmt.Sprintf("A%d=vault:secret/data/shop/p%02d#k", i, i), fmt.Sprintf("B%d=x${vault:secret/data/shop/p%02d#k}", i, i))
	}
	since := v.auditSize()
	if e := v.run(env, "sh", "-c", "echo $A49 $B49"); e.status != 0 || e.stdout != "v49 xv49\n" {
		t.Fatalf("%+v", e)
	}
	v.wantRequests(t, since, want...)
	since = v.auditSize()
	if e := v.run([]string{v.config(), "A=1"}, "true"); e.status != 0 || len(v.requests(since)) != 0 {
		t.Errorf("nothing to resolve, but Vault was asked: %+v %v", e, v.requests(since))
	}
}

func (v *realVault) testFailures(t *testing.T) {
	auth := func(key string, value any) func(fake.Fields) {
		return func(c fake.Fields) { c["vault"].(fake.Fields)["auth"].(fake.Fields)[key] = value }
	}
	for _, c := range []struct {
		name, value string
		change      func(fake.Fields)
		status      int
		says        string
	}{
		{"no such secret", "vault:secret/data/shop/absent#k", nil, failure.Missing, `X: Vault has no secret at "secret/data/shop/absent" (404)`},
		{"no such version", "vault:secret/data/shop/db#user#99", nil, failure.Missing, "version 99 (404)"},
		{"no such key", "vault:secret/data/shop/db#absent", nil, failure.Missing, `has no key "absent"`},
		{"a deleted version", "vault:secret/data/shop/deleted#k", nil, failure.Missing, "version 1 was deleted at 2"},
		{"a destroyed version", "vault:secret/data/shop/destroyed#k", nil, failure.Missing, "version 1 was destroyed"},
		{"a path of KV version 2 without data", "vault:secret/shop/db#user", nil, failure.Missing, "is read at MOUNT/data/NAME"},
		{"a path that the policy does not allow", "vault:secret/data/other#k", nil, failure.Denied, `X: Vault denied reading "secret/data/other" (403: 1 error occurred:`},
		{"a list", "vault:secret/data/shop/db#hosts", nil, failure.Data, "holds a list"},
		{"a role that does not exist", "vault:secret/data/shop/db#user", auth("role", "nobody"), failure.Denied, `refused the login with role "nobody" at auth/jwt/login (400: role "nobody" could not be found)`},
		{"another audience", "vault:secret/data/shop/db#user", auth("tokenPath", fake.File(t, "jwt", v.jwt("other"))), failure.Denied, "audience"},
		{"a mount that does not exist", "vault:secret/data/shop/db#user", auth("mountPath", "k8s"), failure.Denied, "auth/k8s/login (403: permission denied)"},
		{"another CA", "vault:secret/data/shop/db#user", func(c fake.Fields) { c["vault"].(fake.Fields)["tls"] = fake.Fields{} }, failure.Unavailable, "not trusted"},
		{"nothing listens at the address", "vault:secret/data/shop/db#user", func(c fake.Fields) {
			c["vault"].(fake.Fields)["address"] = "https://127.0.0.1:1"
			c["vault"].(fake.Fields)["timeout"] = "300ms"
		}, failure.Unavailable, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var changes []func(fake.Fields)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			e := v.run([]string{v.config(changes...), "X=" + c.value}, "echo", "started").afterWarning()
			e.wantLine(t, c.status, c.says)
		})
	}
}

func (v *realVault) testIgnoreMissing(t *testing.T) {
	config := v.config(func(c fake.Fields) { c["environment"] = fake.Fields{"ignoreMissing": true} })
	e := v.run([]string{config, "X=vault:secret/data/shop/absent#k", "Y=a${vault:secret/data/shop/absent#k}b"}, "env")
	if e.status != 0 || e.stdout != "PATH=/usr/bin:/bin\nY=ab\n" {
		t.Errorf("%+v", e)
	}
	v.run([]string{config, "X=vault:secret/data/shop/deleted#k"}, "echo", "started").wantLine(t, failure.Missing, "was deleted")
}

func (v *realVault) testLoginToken(t *testing.T) {
	e := v.run([]string{v.config(), "VAULT_TOKEN=vault:login"}, "printenv", "VAULT_TOKEN")
	token := strings.TrimSpace(e.stdout)
	if e.status != 0 || !strings.HasPrefix(token, "hvs.") {
		t.Fatalf("%+v", e)
	}
	request, _ := http.NewRequest("GET", "https://"+v.address+"/v1/auth/token/lookup-self", nil)
	request.Header.Set("X-Vault-Token", token)
	response, err := v.http.Do(request)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("the token cannot be used: %v %v", response, err)
	}
	response.Body.Close()
}

func (v *realVault) testBankVaults(t *testing.T) {
	connection := []string{"VAULT_ADDR=https://" + v.address, "VAULT_CACERT=" + v.caFile()}
	login := append(connection, "VAULT_PATH=jwt", "VAULT_ROLE=shop", "VAULT_JWT_FILE="+fake.File(t, "jwt", v.jwt("vault")))
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"login":         {append(login, "X=vault:secret/data/shop/db#password", "VAULT_ENV_FROM_PATH=kv1/shop"), "X=hunter2\nkey=one\nn=1.5\n"},
		"token":         {append(connection, "VAULT_TOKEN="+rootToken, "X=vault:kv1/shop#key"), "X=one\n"},
		"token file":    {append(connection, "VAULT_TOKEN_FILE="+fake.File(t, "token", rootToken+"\n"), "X=vault:kv1/shop#key"), "X=one\n"},
		"passthrough":   {append(login, "X=vault:kv1/shop#key", "VAULT_ENV_PASSTHROUGH=VAULT_ROLE"), "VAULT_ROLE=shop\nX=one\n"},
		"login and ref": {append(connection, "VAULT_TOKEN_FILE="+fake.File(t, "token", rootToken), "VAULT_TOKEN=vault:login", "X=vault:kv1/shop#key"), "VAULT_ADDR=https://" + v.address + "\nVAULT_CACERT=" + v.caFile() + "\nVAULT_TOKEN=" + rootToken + "\nX=one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			e := v.run(c.env, "env")
			if e.status != 0 || e.stdout != "PATH=/usr/bin:/bin\n"+c.want {
				t.Errorf("%+v; want %q", e, c.want)
			}
		})
	}
}

// What the tests of Bank-Vaults' own injector ask of a real Vault (internal/injector of its vault-env), in other words: each
// form of a reference, answers that are shared, paths that do not exist, and all keys of one path or of several.
func (v *realVault) testFormsOfBankVaults(t *testing.T) {
	given := []string{"VAULT_ADDR=https://" + v.address, "VAULT_CACERT=" + v.caFile(), "VAULT_TOKEN=" + rootToken}
	resolved := func(env ...string) map[string]string {
		t.Helper()
		e := v.run(append(given, env...), "env", "-0")
		if e.status != 0 {
			t.Fatalf("%+v", e)
		}
		values := map[string]string{}
		for entry := range strings.SplitSeq(e.stdout, "\x00") {
			name, value, _ := strings.Cut(entry, "=")
			values[name] = value
		}
		return values
	}
	const decrypt, issue = ">>vault:transit/decrypt/shop", ">>vault:pki/issue/web#certificate#{\"common_name\":\"a.shop.example\"}"
	got := resolved("KEY=vault:secret/data/shop/db#password",
		"DECRYPTED="+decrypt+`#${.plaintext | b64dec}#{"ciphertext":"`+v.encrypt("of transit")+`"}`,
		"ISSUED="+issue, "AGAIN="+issue, "TWICE=${"+issue+"}__${"+issue+"}",
		"URL=till://${vault:secret/data/shop/db#user}:${vault:secret/data/shop/db#password}@localhost:80",
		"ESCAPED=till://${vault:secret/data/shop/db#user}:${vault:secret/data/shop/db#${.password | urlquery}}@localhost:80")
	for name, want := range map[string]string{
		"KEY": "hunter2", "DECRYPTED": "of transit", "URL": "till://shop:hunter2@localhost:80", "ESCAPED": "till://shop:hunter2@localhost:80",
		"AGAIN": got["ISSUED"], "TWICE": got["ISSUED"] + "__" + got["ISSUED"],
	} {
		if got[name] != want || want == "" {
			t.Errorf("%s: %q; want %q", name, got[name], want)
		}
	}
	all := resolved("VAULT_ENV_FROM_PATH=kv1/shop,secret/data/shop/p00")
	if all["key"] != "one" || all["n"] != "1.5" || all["k"] != "v0" {
		t.Errorf("from two paths: %v", all)
	}
	for _, c := range []struct{ entry, says string }{
		{"X=vault:secret/data/nowhere#password", `"secret/data/nowhere"`},
		{"X=vault:secret/get/data#data", `"secret/get/data"`},
		{"VAULT_ENV_FROM_PATH=secret/data/nowhere", `"secret/data/nowhere"`},
	} {
		v.run(append(given, c.entry), "echo", "started").wantLine(t, failure.Missing, "Vault has no secret at "+c.says)
	}
}

func (v *realVault) testSilence(t *testing.T) {
	jwt := v.jwt("vault")
	config := v.config(func(c fake.Fields) {
		c["vault"].(fake.Fields)["auth"].(fake.Fields)["tokenPath"] = fake.File(t, "jwt", jwt)
		c["process"] = fake.Fields{"log": fake.Fields{"level": "Debug", "format": "JSON"}}
	})
	e := v.run([]string{config, "VAULT_TOKEN=vault:login", "X=vault:secret/data/shop/db#password"}, "printenv", "VAULT_TOKEN")
	token := strings.TrimSpace(e.stdout)
	if e.status != 0 || token == "" || e.stderr == "" {
		t.Fatalf("%+v", e)
	}
	for _, secret := range []string{"hunter2", token, jwt, "printenv"} {
		if strings.Contains(e.stderr, secret) {
			t.Errorf("the log contains a secret: %s", e.stderr)
		}
	}
}
