package login

import (
	"context"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// The kubelet mounts the pod's own token here unless a policy mounts another one.
const defaultJWTFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// serviceAccount exchanges the pod's ServiceAccount token for a Vault token. The methods kubernetes and jwt accept the
// same request.
type serviceAccount struct{}

func configKubernetes(o source.Object, s *Settings, _ *vault.Connection) identity {
	needRole(o, s)
	return serviceAccount{}
}

func readKubernetes(*source.Variables, string, *Settings, *vault.Connection) identity {
	return serviceAccount{}
}

func (serviceAccount) loginRequest(_ context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	jwt, f := readSecretFile("the ServiceAccount token", a.JWTFile)
	if f != nil {
		return nil, f
	}
	request := tokenRequest(a.Role, jwt, "the role, the ServiceAccount and the audience")
	request.isServiceAccount = true
	return request, nil
}
