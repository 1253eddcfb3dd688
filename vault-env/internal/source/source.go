// Package source reads settings from a JSON object (VAULT_ENV_CONFIG) or from variables (those of Bank-Vaults'
// vault-env). It is strict, because a setting that is silently ignored may be one that should protect something:
// unknown keys, wrong types and malformed values are failures.
//
// Callers read all settings, then ask for the failure. If there are several, it is the first one.
package source

import (
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// first keeps the first failure.
type first struct{ failure *failure.Failure }

func (k *first) keep(f *failure.Failure) {
	if k.failure == nil {
		k.failure = f
	}
}

// Path returns a path in Vault, or an auth mount, without redundant slashes. It refuses what a reference must not
// contain either.
func Path(name, path string) (string, *failure.Failure) {
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimSpace(path), "/") {
		switch {
		case segment == "":
		case segment == "." || segment == ".." || strings.ContainsAny(segment, "#?") || failure.OneLine(segment) != segment:
			return "", failure.Newf(failure.Settings, `%s is not a path in Vault: write it without ".", "..", "#", "?" or control characters`, name)
		default:
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 {
		return "", failure.Newf(failure.Settings, "%s is empty: write a path in Vault", name)
	}
	return strings.Join(segments, "/"), nil
}
