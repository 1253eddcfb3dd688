// Package defaults holds what a VaultInjectionPolicy says where its author says nothing. The CRD's schema has these
// values first: the API server writes them into every policy, and the webhook leaves them out of VAULT_ENV_CONFIG
// again, so both must be the same. They hold where the settings come in Bank-Vaults' variables, too.
package defaults
