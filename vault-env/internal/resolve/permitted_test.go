package resolve

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/settings"
)

// TestPermitted checks vault-env against what admission tells it: core/injection/permitted.ts makes the same references
// of the same containers.
func TestPermitted(t *testing.T) {
	text, err := os.ReadFile("../../testdata/permitted.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Cases []struct {
			Name       string
			References json.RawMessage
			Seen       []struct {
				Variable, Value string
				Refers          bool
			}
		}
	}
	if err := json.Unmarshal(text, &table); err != nil || len(table.Cases) < 20 {
		t.Fatal(err, len(table.Cases))
	}
	for _, c := range table.Cases {
		t.Run(c.Name, func(t *testing.T) {
			config := `={"vault":{"address":"https://v","auth":{"role":"shop"}},"environment":{"transit":{"keyID":"shop"},"writes":["*"]},"references":` + string(c.References) + "}"
			s, f := settings.Load(environment.Variables{environment.ConfigVariable + config})
			if f != nil {
				t.Fatal(f.Message)
			}
			for _, seen := range c.Seen {
				p, f := newPlan(environment.Variables{seen.Variable + "=" + seen.Value}, &s)
				if f != nil {
					t.Fatal(seen, f.Message)
				}
				want := []string{seen.Variable}
				if seen.Refers {
					want = nil
				}
				if !slices.Equal(p.text, want) {
					t.Errorf("%s=%s: %v stay text; want %v", seen.Variable, seen.Value, p.text, want)
				}
				if !seen.Refers && !p.nothing() {
					t.Errorf("%s=%s: Vault is asked", seen.Variable, seen.Value)
				}
			}
		})
	}
}

func TestTheWarningAboutText(t *testing.T) {
	names := []string{"A", "B\nvault-env: error: forged", strings.Repeat("C", 5000), "D", "E", "F", "G"}
	said := staysText(names)
	if len(said) > 600 || strings.Contains(said, "\n") || !strings.HasPrefix(said, "references stay text in A, B") || !strings.Contains(said, ", E (and 2 more): ") {
		t.Errorf("%d characters: %s", len(said), said)
	}
	if said := staysText(names[:1]); !strings.HasPrefix(said, "references stay text in A: ") {
		t.Error(said)
	}
}

// A malformed value that is not permitted is text like any other: nobody may keep a program from starting with it.
func TestMalformedTextStaysText(t *testing.T) {
	s, f := settings.Load(environment.Variables{environment.ConfigVariable + `={"vault":{"address":"https://v","auth":{"role":"shop"}},"references":{"names":["A"],"paths":{"W":["secret/data/w"]}}}`})
	if f != nil {
		t.Fatal(f.Message)
	}
	p, f := newPlan(environment.Variables{"W=vault:secret/data/w", "X=vault:secret/data/x", "Y=a ${vault:b/c", "Z=vault:8200", "VAULT_TOKEN=vault:login"}, &s)
	if f != nil || !slices.Equal(p.text, []string{"W", "X", "Y", "VAULT_TOKEN"}) || p.login {
		t.Errorf("%v, %v, %v", f, p.text, p.login)
	}
	if _, f := newPlan(environment.Variables{"A=vault:secret/data/x"}, &s); f == nil {
		t.Error("a malformed reference of the manifest is accepted")
	}
}

func FuzzPermitted(f *testing.F) {
	f.Add("a ${vault:x#y}", "x")
	f.Add(">>vault:x#y", ">>*")
	f.Fuzz(func(t *testing.T, value, pattern string) {
		v, err := reference.Parse("X", value)
		if err != nil || len(v.References) == 0 {
			return
		}
		if permits(&settings.References{}, "X", v, nil) || permits(&settings.References{Paths: map[string][]string{"X": {}}}, "X", v, nil) {
			t.Errorf("%q is permitted", value)
		}
		var all []string
		for _, r := range v.References {
			all = append(all, "="+shortHash(formOf(r)))
		}
		if !permits(&settings.References{Paths: map[string][]string{"X": all}}, "X", v, nil) {
			t.Errorf("%q is not permitted to itself", value)
		}
		permits(&settings.References{Paths: map[string][]string{"X": {pattern}}}, "X", v, nil)
	})
}
