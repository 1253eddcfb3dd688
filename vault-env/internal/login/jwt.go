package login

import (
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// configJWT needs no role: the mount may have a default one. Bank-Vaults calls the method kubernetes "jwt", so there is
// no value of VAULT_AUTH_METHOD for this one.
func configJWT(source.Object, *Settings, *vault.Connection) identity { return serviceAccount{} }
