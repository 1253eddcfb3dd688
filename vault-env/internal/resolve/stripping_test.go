package resolve_test

import (
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

// The same for a whole environment.
func TestStrippedEnvironment(t *testing.T) {
	strip, keep := resolvetest.Defaults(t), resolvetest.Defaults(t)
	strip.Strip = true
	env := environment.Variables{"A=1", "VAULT_ADDR=a", "VAULT_ROLE=r", "VAULT_ENV_CONFIG={}", "odd", "A=2", "B="}
	resolvetest.Resolve(t, strip, env...).Want(t, "A=1", "odd", "B=")
	resolvetest.Resolve(t, keep, env...).Want(t, "A=1", "VAULT_ADDR=a", "VAULT_ROLE=r", "odd", "B=")
	strip.Passthrough = map[string]bool{"VAULT_ROLE": true, environment.ConfigVariable: true}
	resolvetest.Resolve(t, strip, env...).Want(t, "A=1", "VAULT_ROLE=r", "odd", "B=")
	strip.Login.Token = "t"
	resolvetest.Resolve(t, strip, "VAULT_TOKEN=vault:login", "VAULT_ADDR=a", "VAULT_PATH=p").Want(t, "VAULT_TOKEN=t", "VAULT_ADDR=a")
}
