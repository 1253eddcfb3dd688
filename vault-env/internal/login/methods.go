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
	mount string // where it is mounted unless the settings say otherwise
	// config reads the keys of vault.auth that are the method's own. Those of the others are unknown to it.
	config func(o source.Object, s *Settings, v *vault.Connection) identity
	// bankVaults are the values of VAULT_AUTH_METHOD that stand for it, and refused those that Bank-Vaults has and this
	// method answers with a failure of its own.
	bankVaults, refused []string
	// variables reads the variables of Bank-Vaults' vault-env that are the method's own; called is the one of the values
	// that was set.
	variables func(r *source.Variables, called string, s *Settings, v *vault.Connection) identity
}

// methods returns all there are: a new method is a file of its own, and a row here.
func methods() []method {
	return []method{
		{"Kubernetes", "kubernetes", configKubernetes, []string{"jwt", "kubernetes"}, nil, readKubernetes},
		{"JWT", "jwt", configJWT, nil, nil, nil},
		{"AppRole", "approle", configAppRole, []string{"approle"}, nil, readAppRole},
		{"Certificate", "cert", configCertificate, []string{"cert"}, nil, readCertificate},
		{"AWS", "aws", configAWS, []string{"aws-iam"}, []string{"aws-ec2"}, readAWS},
		{"GCP", "gcp", configGCP, []string{"gcp-gce", "gcp-iam"}, nil, readGCP},
		{"Azure", "azure", configAzure, []string{"azure"}, nil, readAzure},
	}
}

func (m method) isCalled(name string) bool {
	return slices.Contains(m.bankVaults, name) || slices.Contains(m.refused, name)
}

// oneOf returns a list as a sentence has it: a, b or c.
func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
