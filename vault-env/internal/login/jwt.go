package login

import (
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// configJWT needs no role: the mount may have a default one. The request is that of the method kubernetes.
func configJWT(source.Object, *Settings, *vault.Connection) identity { return serviceAccount{} }
