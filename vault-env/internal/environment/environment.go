// Package environment is a container's environment as the kernel hands it over.
package environment

import "strings"

// ConfigVariable is the variable that holds vault-env's own settings, where the webhook has put it in front of a
// program.
const ConfigVariable = "VAULT_ENV_CONFIG"

// Variables is what the kernel gave: "NAME=VALUE", in order. Of two variables of one name the first counts, as for
// most C libraries; the others are dropped, so that no two parts of the program see different values.
type Variables []string

// Lookup returns the value of a variable, and whether there is one of this name.
func (e Variables) Lookup(name string) (string, bool) {
	for _, entry := range e {
		if rest, ok := strings.CutPrefix(entry, name); ok && strings.HasPrefix(rest, "=") {
			return rest[1:], true
		}
	}
	return "", false
}
