// Package environment is a container's environment as the kernel passes it.
package environment

import "strings"

// ConfigVariable is the variable with vault-env's settings, which the webhook sets.
const ConfigVariable = "VAULT_ENV_CONFIG"

// Variables are the variables from the kernel: "NAME=VALUE", in order. If a name occurs twice, the first one counts, as
// in most C libraries; the others are dropped, so that all parts of the program see the same value.
type Variables []string

// Lookup returns the value of a variable, and whether the variable exists.
func (e Variables) Lookup(name string) (string, bool) {
	for _, entry := range e {
		if rest, ok := strings.CutPrefix(entry, name); ok && strings.HasPrefix(rest, "=") {
			return rest[1:], true
		}
	}
	return "", false
}
