package settings

import (
	"os"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/reference"
)

// followed are the variables of a container that Go's libraries read, and that count for vault-env if its settings are
// variables as well: then they did so for Bank-Vaults' vault-env.
var followed = [...]string{
	"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// Expose sets this process's own environment to the variables that Go's libraries may read. All others are the program's
// alone, and so is a variable that refers to Vault: its value is not known before Vault is asked. With VAULT_ENV_CONFIG,
// there are none: the policy says everything.
func Expose(env environment.Variables) {
	os.Clearenv()
	if _, configured := env.Lookup(environment.ConfigVariable); configured {
		return
	}
	for _, name := range followed {
		value, set := env.Lookup(name)
		if !set {
			continue
		}
		if parsed, err := reference.Parse(name, value); err == nil && !parsed.Refers {
			os.Setenv(name, value)
		}
	}
}
