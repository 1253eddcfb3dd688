package login

import (
	"context"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// certificate logs in with the client certificate of the connection to Vault: its files are settings of the connection.
type certificate struct{}

func configCertificate(o source.Object, _ *Settings, v *vault.Connection) identity {
	v.CertFile, v.KeyFile = o.Text("certFile"), o.Text("keyFile")
	if v.CertFile == "" || v.KeyFile == "" {
		o.Fail("certFile", "and keyFile go together: write the paths of the PEM certificate and of its key")
	}
	if strings.HasPrefix(v.Address, "http:") {
		o.Fail("method", "is Certificate, which needs TLS: write an address that begins with https://")
	}
	return certificate{}
}

func readCertificate(r *source.Variables, _ string, s *Settings, v *vault.Connection) identity {
	s.Role = r.Text("VAULT_ROLE", "")
	if v.CertFile == "" || !strings.HasPrefix(v.Address, "https:") {
		r.Keep(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is cert: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, and a VAULT_ADDR that begins with https://"))
	}
	return certificate{}
}

// loginRequest returns a request with the role's name, if there is one. Otherwise Vault uses the first role of the
// mount that trusts the certificate.
func (certificate) loginRequest(_ context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	fields := map[string]any{}
	if a.Role != "" {
		fields["name"] = a.Role
	}
	return &loginRequest{fields: fields, check: "the role, the certificate " + a.connection.CertFile + ", and that nothing terminates TLS before Vault"}, nil
}
