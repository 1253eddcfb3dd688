package login

import (
	"context"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// appRole logs in with a role ID and a secret ID, both from files.
type appRole struct {
	roleIDFile      string
	secretIDFile    string // empty: the role needs none
	secretIDWrapped bool
}

func configAppRole(o source.Object, _ *Settings, _ *vault.Connection) identity {
	r := appRole{o.Text("roleIDFile"), o.Text("secretIDFile"), o.Bool("secretIDWrapped", false)}
	if r.roleIDFile == "" {
		o.Fail("roleIDFile", "is missing: write the path of the file with the role ID")
	}
	if r.secretIDWrapped && r.secretIDFile == "" {
		o.Fail("secretIDFile", "is missing: write the path of the file with the wrapping token")
	}
	return r
}

func readAppRole(r *source.Variables, _ string, s *Settings, _ *vault.Connection) identity {
	s.Role = r.Text("VAULT_ROLE", "")
	read := appRole{r.Text("VAULT_ROLE_ID_FILE", ""), r.Text("VAULT_SECRET_ID_FILE", ""), r.Bool("VAULT_SECRET_ID_WRAPPED")}
	if read.roleIDFile == "" || read.secretIDWrapped && read.secretIDFile == "" {
		r.Keep(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is approle: set VAULT_ROLE_ID_FILE, and VAULT_SECRET_ID_FILE unless the role needs no secret ID"))
	}
	return read
}

func (r appRole) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	roleID, f := readSecretFile("the role ID file", r.roleIDFile)
	if f != nil {
		return nil, f
	}
	request := &loginRequest{
		fields:  map[string]any{"role_id": roleID},
		secrets: []string{roleID},
		check:   "that the role ID and the secret ID belong together, have not expired or been used up, and may be used from this address",
	}
	if r.secretIDFile == "" {
		return request, nil
	}
	secretID, f := r.secretID(ctx, a)
	if f != nil {
		return nil, f
	}
	request.fields["secret_id"] = secretID
	request.secrets = append(request.secrets, secretID)
	return request, nil
}

func (r appRole) secretID(ctx context.Context, a *applicant) (string, *failure.Failure) {
	if !r.secretIDWrapped {
		return readSecretFile("the secret ID file", r.secretIDFile)
	}
	wrapping, f := readSecretFile("the wrapped secret ID file", r.secretIDFile)
	if f != nil {
		return "", f
	}
	unwrapped, f := a.unwrap(ctx, wrapping)
	if f != nil {
		return "", f.Under("the wrapped secret ID " + r.secretIDFile)
	}
	return unwrapped, nil
}

// unwrap unwraps a response-wrapped secret ID, after checking that the AppRole engine wrapped it: anyone who got the
// wrapping token first could unwrap it and wrap the secret ID again, but not with the same creation path (Vault Agent
// makes the same check; see "response wrapping token validation" in Vault's documentation).
func (a *applicant) unwrap(ctx context.Context, wrapping string) (string, *failure.Failure) {
	data, f := a.wrapped(ctx, http.MethodGet, "sys/wrapping/lookup", wrapping)
	if f != nil {
		return "", f
	}
	path, _ := data["creation_path"].(string)
	if !a.hasMade(path) {
		return "", failure.Newf(failure.Denied, "it was created at %s, not at %s: treat it as stolen, revoke the secret ID and issue a new one", failure.QuoteName(path), "auth/"+a.Mount+"/role/"+orAny(a.Role)+"/secret-id")
	}
	data, f = a.wrapped(vault.WithEffect(ctx), http.MethodPost, "sys/wrapping/unwrap", wrapping)
	if f != nil {
		return "", f
	}
	secretID, _ := data["secret_id"].(string)
	if secretID == "" {
		return "", failure.Newf(failure.Protocol, "it contains no secret ID: wrap the response of auth/%s/role/%s/secret-id", a.Mount, orAny(a.Role))
	}
	return secretID, nil
}

func orAny(role string) string {
	if role == "" {
		return "*"
	}
	return role
}

// hasMade returns whether a creation path is that of a secret ID of the mount's role, or of any of its roles if none is
// set. Somebody chose a custom secret ID and knows it, so it is only accepted if the role is set.
func (a *applicant) hasMade(path string) bool {
	path = strings.TrimPrefix(path, strings.Trim(a.connection.Namespace, "/")+"/")
	rest, ok := strings.CutPrefix(path, "auth/"+a.Mount+"/role/")
	role, operation, _ := strings.Cut(rest, "/")
	if !ok || role == "" {
		return false
	}
	if a.Role == "" {
		return operation == "secret-id"
	}
	return role == a.Role && (operation == "secret-id" || operation == "custom-secret-id")
}

// wrapped sends a request that is authenticated by a wrapping token.
func (a *applicant) wrapped(ctx context.Context, method, path, wrapping string) (map[string]any, *failure.Failure) {
	answer, f := a.client.As(wrapping).Do(ctx, method, path, "", nil)
	if f != nil {
		return nil, f
	}
	decoded, err := vault.Decode(answer.Body)
	switch {
	case answer.Status == http.StatusOK && err == nil && decoded.Data != nil:
		return decoded.Data, nil
	case answer.Status == http.StatusOK:
		return nil, failure.Newf(failure.Protocol, "the response to %s is not from Vault: check that %s is a Vault server", path, a.connection.Address)
	case answer.Status == http.StatusBadRequest || answer.Status == http.StatusForbidden:
		return nil, failure.Newf(failure.Denied, "its wrapping token has been used, has expired or is from another Vault (%s): issue a new one; if you do not know who used it, treat the secret ID as stolen and revoke it", retry.StatusText(answer.Status, vault.Errors(answer.Body, wrapping)))
	}
	return nil, vault.Refused(answer.Status, "Vault refused %s (%s): check the namespace", path, retry.StatusText(answer.Status, vault.Errors(answer.Body, wrapping)))
}
