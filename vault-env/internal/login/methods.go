package login

import (
	"slices"
	"strings"

	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// method is one of Vault's auth methods.
type method struct {
	name  string // vault.auth.method
	mount string // the default mount
	// config reads the method's own keys of vault.auth. Keys of other methods are unknown keys.
	config func(o source.Object, s *Settings, v *vault.Connection) identity
	// bankVaults are the values of VAULT_AUTH_METHOD that select the method; refused are values that Bank-Vaults knows,
	// and for which variables returns a failure of the method's own.
	bankVaults, refused []string
	// variables reads the method's own variables of Bank-Vaults' vault-env. called is the value of VAULT_AUTH_METHOD.
	variables func(r *source.Variables, called string, s *Settings, v *vault.Connection) identity
}

// methods returns all auth methods: to add one, add a file and a row here.
func methods() []method {
	return []method{
		{name: "Kubernetes", mount: "kubernetes", config: configKubernetes, variables: readKubernetes, bankVaults: []string{"jwt", "kubernetes"}},
		{name: "JWT", mount: "jwt", config: configJWT}, // what Bank-Vaults calls jwt is the method kubernetes
		{name: "AppRole", mount: "approle", config: configAppRole, variables: readAppRole, bankVaults: []string{"approle"}},
		{name: "Certificate", mount: "cert", config: configCertificate, variables: readCertificate, bankVaults: []string{"cert"}},
		{name: "AWS", mount: "aws", config: configAWS, variables: readAWS, bankVaults: []string{"aws-iam"}, refused: []string{"aws-ec2"}},
		{name: "GCP", mount: "gcp", config: configGCP, variables: readGCP, bankVaults: []string{"gcp-gce", "gcp-iam"}},
		{name: "Azure", mount: "azure", config: configAzure, variables: readAzure, bankVaults: []string{"azure"}},
	}
}

// isCalled returns whether a value of VAULT_AUTH_METHOD belongs to the method.
func (m method) isCalled(name string) bool {
	return slices.Contains(m.bankVaults, name) || slices.Contains(m.refused, name)
}

// oneOf returns a list as part of a sentence: a, b or c.
func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
