package resolve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/settings"
)

// permits returns whether a variable may hold the references of its value. The operator says so when it has seen where
// the variable comes from: somebody who may edit a ConfigMap that a pod uses must not have the pod read or write elsewhere.
// It has never seen a malformed reference at such a place. It is the twin of core/injection/permitted.ts, held to it by
// testdata/permitted.json.
func permits(r *settings.References, name string, v reference.Value, malformed error) bool {
	if r == nil || r.Names[name] {
		return true
	}
	patterns, told := r.Paths[name]
	if !told {
		// a name that is a key of a ConfigMap or Secret is not in the manifest
		patterns, told = r.Paths["="+shortHash(name)]
	}
	if told {
		if malformed != nil {
			return false
		}
		for _, one := range v.References {
			if !isPermitted(one, patterns) {
				return false
			}
		}
		return true
	}
	for _, prefix := range r.Prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// isPermitted returns whether a reference matches one of the patterns. A pattern that begins with "=" is a hash.
func isPermitted(r reference.Reference, patterns []string) bool {
	form := formOf(r)
	for _, pattern := range patterns {
		if hash, isHash := strings.CutPrefix(pattern, "="); isHash && hash == shortHash(form) || !isHash && matches(form, pattern) {
			return true
		}
	}
	return false
}

// formOf returns what of a reference is permitted or not: its path, and whether it writes.
func formOf(r reference.Reference) string {
	switch r.Kind {
	case reference.Transit:
		return "#transit"
	case reference.Login:
		return "#login"
	case reference.Write:
		return ">>" + r.Path
	}
	return r.Path
}

// shortHash returns the first 12 hexadecimal digits of SHA-256, as core/hash.ts does.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

const (
	maxToldNames = 5
	maxToldName  = 60
)

// staysText returns a warning about the variables whose references are not permitted. It never contains a value.
func staysText(names []string) string {
	told := make([]string, 0, maxToldNames)
	for _, name := range names[:min(len(names), maxToldNames)] {
		told = append(told, failure.Shorten(failure.OneLine(name), maxToldName))
	}
	list := strings.Join(told, ", ")
	if more := len(names) - len(told); more > 0 {
		list += fmt.Sprintf(" (and %d more)", more)
	}
	return "references stay text in " + list + ": neither the manifest nor what the operator read when the workload was applied has them; apply it again (kubectl rollout restart), and see inject.sources in the policy"
}
