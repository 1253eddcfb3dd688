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

// appRole logs in with a role id and a secret id, both from files.
type appRole struct {
	roleIDFile      string
	secretIDFile    string // empty: the role needs none
	secretIDWrapped bool
}

func configAppRole(o source.Object, _ *Settings, _ *vault.Connection) identity {
	r := appRole{o.Text("roleIDFile"), o.Text("secretIDFile"), o.Bool("secretIDWrapped", false)}
	if r.roleIDFile == "" {
		o.Fail("roleIDFile", "is missing: write the path of the file with the role id")
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
		r.Keep(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is approle: set VAULT_ROLE_ID_FILE, and VAULT_SECRET_ID_FILE unless the role needs no secret id"))
	}
	return read
}

func (r appRole) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	roleID, f := readSecretFile("the role id file", r.roleIDFile)
	if f != nil {
		return nil, f
	}
	request := &loginRequest{
		fields:  map[string]any{"role_id": roleID},
		secrets: []string{roleID},
		check:   "that role id and secret id belong together, are not used up or expired, and may be used from this address",
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
		return readSecretFile("the secret id file", r.secretIDFile)
	}
	wrapping, f := readSecretFile("the wrapped secret id file", r.secretIDFile)
	if f != nil {
		return "", f
	}
	unwrapped, f := a.unwrap(ctx, wrapping)
	if f != nil {
		return "", f.Under("the wrapped secret id " + r.secretIDFile)
	}
	return unwrapped, nil
}

// unwrap opens a response-wrapped secret id, after it has made sure that the AppRole engine made it: whoever got at
// the wrapping token first can open it and wrap the secret id again, but not with the same creation path (this is the
// check of Vault's own agent; see "response wrapping token validation" in Vault's documentation).
func (a *applicant) unwrap(ctx context.Context, wrapping string) (string, *failure.Failure) {
	data, f := a.wrapped(ctx, http.MethodGet, "sys/wrapping/lookup", wrapping)
	if f != nil {
		return "", f
	}
	path, _ := data["creation_path"].(string)
	if !a.hasMade(path) {
		return "", failure.Newf(failure.Denied, "it was made at %s, not by %s: take it for stolen, revoke the secret id and issue a new one", failure.QuoteName(path), "auth/"+a.Mount+"/role/"+orAny(a.Role)+"/secret-id")
	}
	data, f = a.wrapped(ctx, http.MethodPost, "sys/wrapping/unwrap", wrapping)
	if f != nil {
		return "", f
	}
	secretID, _ := data["secret_id"].(string)
	if secretID == "" {
		return "", failure.Newf(failure.Protocol, "it holds no secret id: wrap the answer of auth/%s/role/%s/secret-id", a.Mount, orAny(a.Role))
	}
	return secretID, nil
}

func orAny(role string) string {
	if role == "" {
		return "*"
	}
	return role
}

// hasMade returns whether a wrapped secret id that was made at a path is one of the mount's role, or of any of its
// roles where none is set. A custom secret id is one that somebody knew before, so it counts for a certain role only.
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

// wrapped asks Vault for what concerns a wrapping token.
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
		return nil, failure.Newf(failure.Protocol, "the answer to %s is not one of Vault's: check that %s is a Vault", path, a.connection.Address)
	case answer.Status == http.StatusBadRequest || answer.Status == http.StatusForbidden:
		return nil, failure.Newf(failure.Denied, "its wrapping token is used up, expired or of another Vault (%s): issue a new one; if nobody is known to have used it, take the secret id for stolen and revoke it", retry.StatusText(answer.Status, vault.Errors(answer.Body, wrapping)))
	}
	return nil, vault.Refused(answer.Status, "Vault refused %s (%s): check the namespace", path, retry.StatusText(answer.Status, vault.Errors(answer.Body, wrapping)))
}
