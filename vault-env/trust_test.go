package main

import (
	"encoding/json"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// configOf returns VAULT_ENV_CONFIG for a Vault, with some parts of vault replaced; null removes one.
func configOf(t *testing.T, v *fake.Vault, vault fake.Fields) string {
	t.Helper()
	fields := fake.Fields{"address": v.URL, "timeout": "10s", "tls": fake.Fields{"caBundle": v.CaPEM()},
		"auth": fake.Fields{"role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}}
	for key, value := range vault {
		fields[key] = value
	}
	text, err := json.Marshal(fake.Fields{"vault": fields})
	if err != nil {
		t.Fatal(err)
	}
	return "VAULT_ENV_CONFIG=" + string(text)
}

// elsewhere is the fake's address as one that Go asks a proxy for: not for 127.0.0.1.
func elsewhere(v *fake.Vault) string { return strings.Replace(v.URL, "127.0.0.1", "0.0.0.0", 1) }

// Somebody who may edit a ConfigMap that the environment comes from must not be able to read the connection to Vault, or to
// weaken it. The program gets all of it.
func TestOnlyThePolicySaysHowToReachVault(t *testing.T) {
	const dead = "http://127.0.0.1:1"
	own := []string{"PATH=/usr/bin:/bin", "HTTPS_PROXY=" + dead, "https_proxy=" + dead, "HTTP_PROXY=" + dead, "http_proxy=" + dead, "ALL_PROXY=" + dead,
		"all_proxy=" + dead, "NO_PROXY=other", "SSL_CERT_FILE=/absent", "SSL_CERT_DIR=/absent", "GODEBUG=http2client=0,tlsmlkem=0", "GOTRACEBACK=all",
		"RES_OPTIONS=ndots:5", "LOCALDOMAIN=example.com", "AWS_ENDPOINT_URL_STS=" + dead}
	for name, mode := range map[string][]string{"Exec": nil, "Daemon": {"daemon"}} {
		t.Run(name, func(t *testing.T) {
			vault := fake.NewVault(t)
			vault.KV1("kv/a", `{"k":"v"}`)
			config := configOf(t, vault, fake.Fields{"address": elsewhere(vault), "tls": fake.Fields{"caBundle": vault.CaPEM(), "serverName": "127.0.0.1"}})
			if mode != nil {
				config = strings.TrimSuffix(config, "}") + `,"process":{"mode":"Daemon"}}`
			}
			e := vaultEnv(t, append(own[:len(own):len(own)], config, "X=vault:kv/a#k"), "env")
			if want := strings.Join(own, "\n") + "\nX=v\n"; e.status != 0 || e.stdout != want || e.stderr != "" {
				t.Errorf("status %d\n got %q\nwant %q\n%s", e.status, e.stdout, want, e.stderr)
			}
			if !vault.Protos["HTTP/2.0"] || vault.Protos["HTTP/1.1"] {
				t.Errorf("GODEBUG has an effect: %v", vault.Protos)
			}
		})
	}
}

func TestOnlyTheImageHasSystemRoots(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	ca := fake.File(t, "ca.pem", vault.CaPEM())
	for _, variable := range []string{"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + strings.TrimSuffix(ca, "/ca.pem")} {
		config := configOf(t, vault, fake.Fields{"tls": nil})
		vaultEnv(t, []string{"PATH=/usr/bin:/bin", variable, config, "X=vault:kv/a#k"}, "echo").wantLine(t, failure.Unavailable, "is not trusted")
	}
}

// A container that was built for Bank-Vaults is as it was there.
func TestBankVaultsFollowsTheEnvironment(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	proxy, asked := fake.NewProxy(t, false, map[string]string{"example.com:8200": vault.Listener.Addr().String()})
	base := []string{"PATH=/usr/bin:/bin", "VAULT_TOKEN=" + fake.Token, "X=vault:kv/a#k"}
	trusted := "SSL_CERT_FILE=" + fake.File(t, "ca.pem", vault.CaPEM())
	e := vaultEnv(t, append(base, "VAULT_ADDR=https://example.com:8200", trusted, "HTTPS_PROXY="+proxy), "printenv", "X", "SSL_CERT_FILE", "HTTPS_PROXY")
	if want := "v\n" + strings.TrimPrefix(trusted, "SSL_CERT_FILE=") + "\n" + proxy + "\n"; e.status != 0 || e.stdout != want || len(asked()) == 0 {
		t.Errorf("%+v; want %q", e, want)
	}
}

func TestTheProxyOfThePolicy(t *testing.T) {
	for name, isTLS := range map[string]bool{"without TLS": false, "with TLS": true} {
		t.Run(name, func(t *testing.T) {
			vault := fake.NewVault(t)
			vault.KV1("kv/a", `{"k":"v"}`)
			proxy, asked := fake.NewProxy(t, isTLS, map[string]string{"example.com:8200": vault.Listener.Addr().String()})
			// serverName is Vault's, never the proxy's
			config := configOf(t, vault, fake.Fields{"address": "https://example.com:8200", "proxyURL": proxy, "tls": fake.Fields{"caBundle": vault.CaPEM(), "serverName": "example.com"}})
			e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "NO_PROXY=example.com", config, "X=vault:kv/a#k"}, "printenv", "X", "NO_PROXY")
			if e.status != 0 || e.stdout != "v\nexample.com\n" || e.stderr != "" {
				t.Errorf("%+v", e)
			}
			if !vault.Protos["HTTP/2.0"] {
				t.Errorf("not HTTP/2: %v", vault.Protos)
			}
			for _, one := range asked() {
				if one != "CONNECT example.com:8200" {
					t.Errorf("asked the proxy for %q", one)
				}
			}
		})
	}
	t.Run("is named if it does not let vault-env through", func(t *testing.T) {
		vault := fake.NewVault(t)
		proxy, _ := fake.NewProxy(t, false, nil)
		config := configOf(t, vault, fake.Fields{"address": "https://example.com:8200", "proxyURL": proxy, "timeout": "1s"})
		e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}, "echo").afterWarning()
		e.wantLine(t, failure.Unavailable, "Vault at https://example.com:8200 through the proxy "+proxy+" was not available in time (the proxy refused to connect: 403 Forbidden)")
	})
	t.Run("must be trusted like Vault", func(t *testing.T) {
		vault := fake.NewVault(t)
		proxy, _ := fake.NewProxy(t, true, map[string]string{"example.com:8200": vault.Listener.Addr().String()})
		config := configOf(t, vault, fake.Fields{"address": "https://example.com:8200", "proxyURL": proxy, "tls": fake.Fields{"caBundle": fake.NewCA(t)}})
		vaultEnv(t, []string{"PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}, "echo").wantLine(t, failure.Unavailable, "is not trusted")
	})
}

// Somebody who may edit a ConfigMap that the environment comes from must not have the pod read other paths, or write.
func TestOnlyPermittedVariablesRefer(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/own", `{"k":"v"}`)
	vault.KV1("kv/other", `{"k":"hunter2"}`)
	env := []string{"PATH=/usr/bin:/bin", "A=vault:kv/own#k", "B=vault:kv/other#k", "C=>>vault:kv/own#k", "VAULT_TOKEN=vault:login", "D=${vault:kv/own#k} ${vault:kv/other#k}", "E=vault:malformed/path"}
	for name, mode := range map[string]string{"Exec": `"Exec"`, "Daemon": `"Daemon"`} {
		t.Run(name, func(t *testing.T) {
			config := strings.TrimSuffix(configOf(t, vault, nil), "}") + `,"process":{"mode":` + mode + `},"references":{"names":["A"]}}`
			e := vaultEnv(t, append(env[:len(env):len(env)], config), "env")
			want := strings.Replace(strings.Join(env, "\n")+"\n", "A=vault:kv/own#k", "A=v", 1)
			if e.status != 0 || e.stdout != want {
				t.Errorf("%+v; want %q", e, want)
			}
			if !strings.HasPrefix(e.stderr, "vault-env: warn: references stay text in B, C, VAULT_TOKEN, D, E: ") || strings.Count(e.stderr, "\n") != 1 || strings.Contains(e.stderr, "kv/") {
				t.Errorf("says %q", e.stderr)
			}
		})
	}
	for _, asked := range vault.Seen() {
		if strings.Contains(asked, "kv/other") || strings.HasPrefix(asked, "PUT kv/") {
			t.Errorf("asked for %q", asked)
		}
	}
	t.Run("and without any, there is no login", func(t *testing.T) {
		vault := fake.NewVault(t) // not the one above, which may still receive a revocation
		config := strings.TrimSuffix(configOf(t, vault, nil), "}") + `,"references":{}}`
		if e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "B=vault:kv/other#k", config}, "printenv", "B"); e.status != 0 || e.stdout != "vault:kv/other#k\n" {
			t.Errorf("%+v", e)
		}
		if seen := vault.Seen(); len(seen) > 0 {
			t.Errorf("asked %v", seen)
		}
	})
}
