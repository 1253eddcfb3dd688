// Package defaults contains the default values of a VaultInjectionPolicy. They come from the CRD's schema: the API
// server writes them into every policy, and the webhook omits them from VAULT_ENV_CONFIG, so both must agree. They also
// apply to settings from Bank-Vaults' variables.
package defaults
