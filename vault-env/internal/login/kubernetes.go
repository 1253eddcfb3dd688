package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

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
	check := "the role, the ServiceAccount and the audience"
	audience := audienceOf(jwt)
	if audience != "" {
		check += ", which is " + failure.QuoteName(audience) + " for this token"
	}
	request := tokenRequest(a.Role, jwt, check)
	request.isServiceAccount, request.audience = true, audience
	return request, nil
}

// audienceOf returns the audience of a JWT, of several the first; empty if there is none, or the token is no JWT. The
// signature is for Vault to verify: this is for messages.
func audienceOf(jwt string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var one struct{ Aud string }
	if json.Unmarshal(payload, &one) == nil {
		return one.Aud
	}
	var many struct{ Aud []string }
	if json.Unmarshal(payload, &many) != nil || len(many.Aud) == 0 {
		return ""
	}
	return many.Aud[0]
}
