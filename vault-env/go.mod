module vaultinjection.dev/vault-env

go 1.26
