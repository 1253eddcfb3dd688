package resolve

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// Whatever the environment and the secret contain: names are unique, settings are removed, references are replaced, and
// values from Vault are unchanged.
func FuzzEnvironment(f *testing.F) {
	f.Add("A=1\nB=vault:p#k\nPATH=/bin", "k", "v", "", true, false)
	f.Add("VAULT_ADDR=a\nVAULT_TOKEN=vault:login\nVAULT_ENV_CONFIG={}", "VAULT_ADDR", "x", "", true, true)
	f.Add("X=a ${vault:p#k} $${vault:p#k}\nX=2\nodd\n=odd", "k", "${vault:p#k}", "P_", false, true)
	f.Add("LD_PRELOAD=mine", "PRELOAD", "x\x00y", "LD_", false, true)
	f.Add("A=vault:v1:abc\nB=x ${vault:v1:abc}\nC=>>vault:pki/issue/a#k#{\"a\": 1}\nD=${>>vault:pki/issue/a#k#{\"a\":1}}", "k", "vault:v1:abc", "", false, false)
	f.Fuzz(func(t *testing.T, entries, key, value, prefix string, strip, overwrite bool) {
		var env environment.Variables
		for entry := range strings.SplitSeq(entries, "\n") {
			if entry != "" {
				env = append(env, entry)
			}
		}
		s, fail := settings.Load(environment.Variables{environment.ConfigVariable + `={"vault":{"address":"https://v","auth":{"role":"shop"}}}`})
		if fail != nil {
			t.Fatal(fail)
		}
		s.Strip = strip
		s.Transit.KeyID = "shop"
		s.FromPaths = []settings.FromPath{{Path: "p", Prefix: prefix, Overwrite: overwrite}}
		p, fail := newPlan(env, &s)
		if fail != nil {
			return
		}
		a := &answers{token: vault.Token{Value: "hvs.token"}, secrets: map[vault.Request]*vault.Secret{}, plaintexts: map[string]string{}}
		for _, ciphertext := range p.decrypts {
			a.plaintexts[ciphertext] = value
		}
		for _, read := range p.reads {
			a.secrets[read] = &vault.Secret{Data: map[string]any{key: value, "k": "other"}}
		}
		var log bytes.Buffer
		got, fail := p.environment(t.Context(), a, &logging.Logger{Out: &log, Level: logging.Debug, Now: time.Now})
		if fail != nil {
			return
		}
		seen := map[string]bool{}
		for _, entry := range got {
			name, val, found := strings.Cut(entry, "=")
			if !found {
				continue
			}
			if seen[name] || name == environment.ConfigVariable {
				t.Fatalf("%q twice or a setting: %q", name, got)
			}
			seen[name] = true
			if strings.IndexByte(entry, 0) >= 0 && !strings.Contains(entries, "\x00") {
				t.Fatalf("a NUL byte came from Vault: %q", entry)
			}
			mine, has := env.Lookup(name)
			if !has && val != value && val != "other" {
				t.Fatalf("%q comes from nowhere: %q", name, got)
			}
			if !has && isDangerous(name) {
				t.Fatalf("%q came from Vault", name)
			}
			if strip && !p.login && isStripped(name, nil, false) && !strings.Contains(mine, "vault:") {
				t.Fatalf("%q is a setting: %q", name, got)
			}
		}
	})
}
