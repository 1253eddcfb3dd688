package main

import (
	"context"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// appRoleRequest logs in with a role id and a secret id, both from files.
func (c *client) appRoleRequest(ctx context.Context, v *vaultSettings) (*loginRequest, *failure.Failure) {
	roleID, f := readSecretFile("the role id file", v.roleIDFile)
	if f != nil {
		return nil, f
	}
	request := &loginRequest{
		fields:  map[string]any{"role_id": roleID},
		secrets: []string{roleID},
		check:   "that role id and secret id belong together, are not used up or expired, and may be used from this address",
	}
	if v.secretIDFile == "" {
		return request, nil
	}
	secretID, f := c.readSecretID(ctx, v)
	if f != nil {
		return nil, f
	}
	request.fields["secret_id"] = secretID
	request.secrets = append(request.secrets, secretID)
	return request, nil
}

func (c *client) readSecretID(ctx context.Context, v *vaultSettings) (string, *failure.Failure) {
	if !v.secretIDWrapped {
		return readSecretFile("the secret id file", v.secretIDFile)
	}
	wrapping, f := readSecretFile("the wrapped secret id file", v.secretIDFile)
	if f != nil {
		return "", f
	}
	unwrapped, f := c.unwrap(ctx, v, wrapping)
	if f != nil {
		return "", f.Under("the wrapped secret id " + v.secretIDFile)
	}
	return unwrapped, nil
}

// unwrap opens a response-wrapped secret id, after it has made sure that the AppRole engine made it: whoever got at
// the wrapping token first can open it and wrap the secret id anew, but not with the same creation path (this is the
// check of Vault's own agent; see "response wrapping token validation" in Vault's documentation).
func (c *client) unwrap(ctx context.Context, v *vaultSettings, wrapping string) (string, *failure.Failure) {
	asWrapping := *c
	asWrapping.token = wrapping
	data, f := asWrapping.wrapped(ctx, http.MethodGet, "sys/wrapping/lookup")
	if f != nil {
		return "", f
	}
	path, _ := data["creation_path"].(string)
	if !madeBy(v, path) {
		return "", failure.Newf(failure.Denied, "it was made at %s, not by %s: take it for stolen, revoke the secret id and issue a new one", failure.QuoteName(path), "auth/"+v.authMount+"/role/"+orAny(v.role)+"/secret-id")
	}
	data, f = asWrapping.wrapped(ctx, http.MethodPost, "sys/wrapping/unwrap")
	if f != nil {
		return "", f
	}
	secretID, _ := data["secret_id"].(string)
	if secretID == "" {
		return "", failure.Newf(failure.Protocol, "it holds no secret id: wrap the answer of auth/%s/role/%s/secret-id", v.authMount, orAny(v.role))
	}
	return secretID, nil
}

func orAny(role string) string {
	if role == "" {
		return "*"
	}
	return role
}

// madeBy says whether a wrapped secret id comes from the mount's role, or from any of its roles where none is set. A
// custom secret id is one that somebody knew before, so it counts for a certain role only.
func madeBy(v *vaultSettings, path string) bool {
	path = strings.TrimPrefix(path, strings.Trim(v.namespace, "/")+"/")
	rest, ok := strings.CutPrefix(path, "auth/"+v.authMount+"/role/")
	role, operation, _ := strings.Cut(rest, "/")
	if !ok || role == "" {
		return false
	}
	if v.role == "" {
		return operation == "secret-id"
	}
	return role == v.role && (operation == "secret-id" || operation == "custom-secret-id")
}

// wrapped asks Vault for what concerns the client's token, a wrapping one.
func (c *client) wrapped(ctx context.Context, method, path string) (map[string]any, *failure.Failure) {
	answer, f := c.do(ctx, method, path, "", nil)
	if f != nil {
		return nil, f
	}
	decoded, err := decodeAnswer(answer.body)
	switch {
	case answer.status == http.StatusOK && err == nil && decoded.Data != nil:
		return decoded.Data, nil
	case answer.status == http.StatusOK:
		return nil, failure.Newf(failure.Protocol, "the answer to %s is not one of Vault's: check that %s is a Vault", path, c.address)
	case answer.status == http.StatusBadRequest || answer.status == http.StatusForbidden:
		return nil, failure.Newf(failure.Denied, "its wrapping token is used up, expired or of another Vault (%s): issue a new one; if nobody is known to have used it, take the secret id for stolen and revoke it", statusText(answer.status, vaultErrors(answer.body, c.token)))
	}
	return nil, refused(answer.status, "Vault refused %s (%s): check the namespace", path, statusText(answer.status, vaultErrors(answer.body, c.token)))
}
