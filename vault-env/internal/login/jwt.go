package login

import (
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// configJWT does not require a role: the mount may have a default role. The request is the same as for the method
// kubernetes.
func configJWT(source.Object, *Settings, *vault.Connection) identity { return serviceAccount{} }
