package settings

import (
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

// No settings break the parser, and no failure is longer than a line.
func FuzzConfig(f *testing.F) {
	f.Add(fullConfig)
	f.Add(`{"vault":{"address":"https://v","auth":{"role":"r"}}}`)
	f.Add(`{"vault":{"address":5}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, fail := parseConfig(text)
		if fail != nil {
			if failure.OneLine(fail.Message) == "" || fail.Status != failure.Settings {
				t.Fatalf("%q: %+v", text, fail)
			}
			return
		}
		if s.Vault.Timeout <= 0 || s.Delay < 0 || !strings.HasPrefix(s.Vault.Address, "http") {
			t.Fatalf("%q: %+v", text, s)
		}
	})
}
