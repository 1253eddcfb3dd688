// Package source reads settings from where they come: a JSON object (VAULT_ENV_CONFIG), or variables (those of
// Bank-Vaults' vault-env). It is strict about both, for a setting that is silently ignored may be the one that was to
// protect something: a key that nobody asked for, a wrong type and a malformed value are failures.
//
// Whoever reads settings reads all of them and asks for the failure in the end. Of several the first one counts.
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

// Path returns a path in Vault, or an auth mount, without the slashes that do not count. It refuses what a reference
// must not hold either.
func Path(name, path string) (string, *failure.Failure) {
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimSpace(path), "/") {
		switch {
		case segment == "":
		case segment == "." || segment == ".." || strings.ContainsAny(segment, "#?") || failure.OneLine(segment) != segment:
			return "", failure.Newf(failure.Settings, `%s is not a path in Vault: write it without ".", "..", "#", "?" and control characters`, name)
		default:
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 {
		return "", failure.Newf(failure.Settings, "%s is empty: write a path in Vault", name)
	}
	return strings.Join(segments, "/"), nil
}
