package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// modes are settings for each mode.
func modes(t *testing.T, vault *fake.Vault) map[string]string {
	all := map[string]string{}
	for _, mode := range []string{"Exec", "Daemon"} {
		all[mode] = vault.Settings(t, func(c fake.Fields) { c["process"] = fake.Fields{"mode": mode} })
	}
	return all
}

// A PATH that refers to Vault says where the program is, once it is resolved.
func TestThePathFromVault(t *testing.T) {
	dir := filepath.Dir(script(t, 0o755, "#!/bin/sh\necho found\n"))
	for _, mode := range []string{"Exec", "Daemon"} {
		for _, path := range []string{"vault:kv/a#path", "/nowhere:${vault:kv/a#dir}:/usr/bin:/bin"} {
			t.Run(mode+", "+path, func(t *testing.T) {
				open := func() (*fake.Vault, []string) {
					vault := fake.NewVault(t)
					vault.KV1("kv/a", fmt.Sprintf(`{"path":%q,"dir":%q}`, dir+":/usr/bin:/bin", dir))
					revocations(vault)
					return vault, []string{modes(t, vault)[mode], "PATH=" + path}
				}
				_, env := open()
				if e := vaultEnv(t, env, "script"); e.status != 0 || e.stdout != "found\n" || e.stderr != "" {
					t.Errorf("%+v", e)
				}
				vault, env := open()
				vaultEnv(t, env, "absent").wantLine(t, failure.NotFound, `the command "absent" is not in PATH`)
				if !slices.Contains(vault.Seen(), "PUT auth/token/revoke-self") {
					t.Errorf("the token is left behind: %v", vault.Seen())
				}
				// A file needs no PATH, so that its absence costs no login.
				vault, env = open()
				vaultEnv(t, env, "/absent").wantLine(t, failure.NotFound, `the file "/absent" does not exist`)
				if seen := vault.Seen(); len(seen) > 0 {
					t.Errorf("Vault was asked: %v", seen)
				}
			})
		}
	}
}

// Nothing renews a lease in mode Exec, which is told once, for all of them.
func TestLeasesThatRunOutAreTold(t *testing.T) {
	vault := fake.NewVault(t)
	vault.Lend(300, true)
	vault.Says("GET aws/creds/shop", 200, `{"lease_id":"aws/creds/shop/1","lease_duration":120,"renewable":false,"data":{"k":"v"}}`)
	vault.KV1("kv/a", `{"k":"v"}`)
	all := modes(t, vault)
	const advice = ", and nothing renews it in this mode: set process.mode to Daemon (VAULT_ENV_DAEMON=true)\n"
	for _, c := range []struct {
		mode string
		env  []string
		want string
	}{
		{"Exec", []string{"A=vault:kv/a#k"}, ""},
		{"Exec", []string{"A=" + fake.Credentials, "B=" + fake.Credentials}, `vault-env: warn: the lease of "database/creds/shop" expires in 5m0s` + advice},
		{"Exec", []string{"A=" + fake.Credentials, "B=vault:aws/creds/shop#k"}, `vault-env: warn: the lease of "aws/creds/shop" (and 1 more) expires in 2m0s` + advice},
		{"Daemon", []string{"A=" + fake.Credentials, "B=vault:aws/creds/shop#k"}, ""},
	} {
		if e := vaultEnv(t, append(c.env, all[c.mode], "PATH=/usr/bin:/bin"), "true"); e.status != 0 || e.stderr != c.want {
			t.Errorf("%s, %q: %+v; want %q", c.mode, c.env, e, c.want)
		}
	}
}
