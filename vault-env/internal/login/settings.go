package login

import (
	"cmp"
	"path/filepath"
	"strings"

	"vaultinjection.dev/vault-env/internal/defaults"
	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// Settings is how vault-env gets its token.
type Settings struct {
	Token     string // given, so there is no login
	TokenFile string // must exist
	TokenPath string // need not exist
	// TokenPathIsGuess is true if no setting names TokenPath: then it need not be readable either.
	TokenPathIsGuess bool

	Mount    string
	Role     string // AppRole: the role of a wrapped secret ID; empty: any of the mount
	JWTFile  string // of Kubernetes and JWT; a policy may set it for all methods
	identity identity

	// Environment is the container's, where the clouds' webhooks and SDKs put their settings.
	Environment environment.Variables
}

// Default returns the default settings.
func Default() Settings {
	return Settings{Mount: "kubernetes", JWTFile: defaultJWTFile, identity: serviceAccount{}}
}

// ReadConfig reads vault.auth into settings that have the defaults, and settings of the connection into v.
func ReadConfig(o source.Object, s *Settings, v *vault.Connection) {
	s.Role = o.Text("role")
	s.JWTFile = cmp.Or(o.Text("tokenPath"), s.JWTFile)
	name := cmp.Or(o.Text("method"), defaults.VaultAuthMethod)
	var names []string
	known := false
	for _, m := range methods() {
		names = append(names, m.name)
		if m.name == name {
			known = true
			s.Mount, s.identity = m.mount, m.config(o, s, v)
		}
	}
	if !known {
		o.Fail("method", "is unknown: write "+oneOf(names))
	}
	if mount := o.Text("mountPath"); mount != "" {
		s.Mount = o.Clean("mountPath", mount)
	}
	o.Done()
}

func needRole(o source.Object, s *Settings) {
	if s.Role == "" {
		o.Fail("role", "is missing: write the name of the role to log in as")
	}
}

// ReadVariables reads the login variables: Bank-Vaults' own, and three for AppRole.
func ReadVariables(r *source.Variables, s *Settings, v *vault.Connection) {
	s.Environment = r.Environment
	s.Role = r.Text("VAULT_ROLE", "default")
	s.JWTFile = r.Text("KUBERNETES_SERVICE_ACCOUNT_TOKEN", r.Text("VAULT_JWT_FILE", s.JWTFile))
	name := r.Text("VAULT_AUTH_METHOD", "jwt")
	var names []string
	known := false
	for _, m := range methods() {
		names = append(names, m.bankVaults...)
		if m.isCalled(name) {
			known = true
			s.Mount, s.identity = m.mount, m.variables(r, name, s, v)
		}
	}
	if !known {
		r.Keep(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is unknown: write %s", oneOf(names)))
	}
	s.Mount = r.Path("VAULT_PATH", s.Mount)

	s.TokenFile = r.Text("VAULT_TOKEN_FILE", "")
	// A reference in VAULT_TOKEN is for the program, not a token for vault-env.
	s.Token = strings.TrimSpace(unlessReference("VAULT_TOKEN", r.Text("VAULT_TOKEN", "")))
	s.TokenPath = r.Text("VAULT_TOKEN_PATH", "")
	if home := unlessReference("HOME", r.Text("HOME", "")); s.TokenPath == "" && home != "" {
		s.TokenPath, s.TokenPathIsGuess = filepath.Join(home, ".vault-token"), true
	}
}

// unlessReference returns the value of a variable, or an empty string if it refers to Vault: vault-env cannot log in
// with a value that it has yet to read from Vault for the program.
func unlessReference(name, value string) string {
	if parsed, err := reference.Parse(name, value); err != nil || parsed.Refers {
		return ""
	}
	return value
}
