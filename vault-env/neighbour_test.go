package main

import (
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

// settingsOf returns the settings for a Vault, at an address for which Go asks for a proxy, as the webhook writes them
// and as a container for Bank-Vaults has them.
func settingsOf(t *testing.T, vault *fake.Vault) map[string][]string {
	t.Helper()
	return map[string][]string{
		"VAULT_ENV_CONFIG": {configOf(t, vault, fake.Fields{"address": elsewhere(vault), "tls": fake.Fields{"caBundle": vault.CaPEM(), "serverName": "127.0.0.1"}})},
		"Bank-Vaults": {"VAULT_ADDR=" + elsewhere(vault), "VAULT_CACERT_BYTES=" + vault.CaPEM(), "VAULT_TLS_SERVER_NAME=127.0.0.1",
			"VAULT_ROLE=" + fake.Role, "VAULT_JWT_FILE=" + fake.File(t, "jwt", fake.JWT)},
		"Bank-Vaults, daemon": {"VAULT_ADDR=" + elsewhere(vault), "VAULT_CACERT_BYTES=" + vault.CaPEM(), "VAULT_TLS_SERVER_NAME=127.0.0.1",
			"VAULT_ROLE=" + fake.Role, "VAULT_JWT_FILE=" + fake.File(t, "jwt", fake.JWT), "VAULT_ENV_DAEMON=true"},
	}
}

// Variables that Go's run time and its libraries read are the program's: they neither steer vault-env nor end it, and
// nothing but its own lines is on standard error.
func TestTheVariablesOfGoAreThePrograms(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	for name, own := range settingsOf(t, vault) {
		for _, variable := range []string{
			"GOMEMLIMIT=1G", "GOMEMLIMIT=vault:kv/a#k", "GOMEMLIMIT=${vault:kv/a#k}MiB", "GOMEMLIMIT=1MiB", "GOMEMLIMIT=",
			"GOGC=vault:kv/a#k", "GOGC=1", "GOGC=off", "GOMAXPROCS=vault:kv/a#k", "GOMAXPROCS=0", "GOTRACEBACK=vault:kv/a#k",
			"GOTRACEBACK=crash", "GODEBUG=vault:kv/a#k", "GODEBUG=gctrace=1,inittrace=1,schedtrace=1,scavtrace=1",
			"GODEBUG=http2debug=2,execerrdot=0,netdns=cgo+2", "GODEBUG=,=,nonsense", "GO=vault:kv/a#k", "GOOGLE=x",
		} {
			t.Run(name+", "+variable, func(t *testing.T) {
				key, value, _ := strings.Cut(variable, "=")
				switch value = strings.Replace(value, "${vault:kv/a#k}", "v", 1); value {
				case "vault:kv/a#k":
					value = "v"
				}
				e := shipped(t, append(own[:len(own):len(own)], "PATH=/usr/bin:/bin", variable, "X=vault:kv/a#k"), "env")
				if want := "PATH=/usr/bin:/bin\n" + key + "=" + value + "\nX=v\n"; e.status != 0 || e.stdout != want || e.stderr != "" {
					t.Errorf("%+v; want %q", e, want)
				}
			})
		}
	}
}

// A variable that refers to Vault counts as unset for vault-env itself: it would need Vault to reach Vault.
func TestVariablesForTheConnectionThatReferToVault(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	for name, own := range settingsOf(t, vault) {
		for _, key := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY",
			"SSL_CERT_FILE", "SSL_CERT_DIR", "TZ", "REQUEST_METHOD", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES"} {
			for reference, value := range map[string]string{"vault:kv/a#k": "v", "http://${vault:kv/a#k}:${vault:kv/a#k}@proxy.corp:3128": "http://v:v@proxy.corp:3128"} {
				t.Run(name+", "+key+"="+reference, func(t *testing.T) {
					e := vaultEnv(t, append(own[:len(own):len(own)], "PATH=/usr/bin:/bin", key+"="+reference), "env")
					if want := "PATH=/usr/bin:/bin\n" + key + "=" + value + "\n"; e.status != 0 || e.stdout != want || e.stderr != "" {
						t.Errorf("%+v; want %q", e, want)
					}
				})
			}
		}
	}
}
