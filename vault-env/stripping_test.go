package main

import (
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
)

// The same for a whole environment.
func TestStrippedEnvironment(t *testing.T) {
	strip, keep := plainSettings(t), plainSettings(t)
	strip.Strip = true
	env := environment.Variables{"A=1", "VAULT_ADDR=a", "VAULT_ROLE=r", "VAULT_ENV_CONFIG={}", "odd", "A=2", "B="}
	resolveWith(t, strip, env...).want(t, "A=1", "odd", "B=")
	resolveWith(t, keep, env...).want(t, "A=1", "VAULT_ADDR=a", "VAULT_ROLE=r", "odd", "B=")
	strip.Passthrough = map[string]bool{"VAULT_ROLE": true, environment.ConfigVariable: true}
	resolveWith(t, strip, env...).want(t, "A=1", "VAULT_ROLE=r", "odd", "B=")
	strip.Login.Token = "t"
	resolveWith(t, strip, "VAULT_TOKEN=vault:login", "VAULT_ADDR=a", "VAULT_PATH=p").want(t, "VAULT_TOKEN=t", "VAULT_ADDR=a")
}
