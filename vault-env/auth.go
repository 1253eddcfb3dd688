package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// loginRequest is what a method sends to auth/MOUNT/login.
type loginRequest struct {
	fields  map[string]any
	secrets []string // of its fields: not said, even where Vault repeats them
	check   string   // what to look at where Vault refuses it
}

// givenToken gives the token that the settings hold or point to; empty: log in.
func givenToken(v *vaultSettings) (string, *failure.Failure) {
	switch {
	case v.tokenFile != "":
		return readSecretFile("the token file", v.tokenFile)
	case v.token != "":
		return v.token, nil
	case v.tokenPath == "":
		return "", nil
	}
	token, err := os.ReadFile(v.tokenPath)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", failure.Unreadable("the token file", v.tokenPath, err)
	}
	return strings.TrimSpace(string(token)), nil
}

// readSecretFile gives the content of a file that holds one secret, without the white space around it.
func readSecretFile(what, path string) (string, *failure.Failure) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", failure.Unreadable(what, path, err)
	}
	secret := strings.TrimSpace(string(content))
	switch {
	case secret == "":
		return "", failure.Newf(failure.Settings, "%s %s is empty", what, path)
	case failure.OneLine(secret) != secret:
		return "", failure.Newf(failure.Settings, "%s %s is malformed: it must hold one line of text", what, path)
	}
	return secret, nil
}

// login gets a token by the method that the settings name.
func (c *client) login(ctx context.Context, v *vaultSettings) (*answerAuth, *failure.Failure) {
	request, f := c.loginRequest(ctx, v)
	if f != nil {
		return nil, f
	}
	body, err := json.Marshal(request.fields)
	if err != nil {
		return nil, failure.Newf(failure.Settings, "the request for the login cannot be written as JSON")
	}
	path := "auth/" + v.authMount + "/login"
	refusal := func(said string) string {
		return fmt.Sprintf("Vault refused the login%s at %s (%s): check %s", ofRole(v.role), path, said, request.check)
	}
	e := c.exchange(http.MethodPost, path, "", body, request.secrets...)
	late := e.late
	e.late = func(reason string) *failure.Failure {
		// Vault's azure and cert methods say no with this status. It is tried again all the same, for a Vault that
		// changes its leader has it, too.
		if strings.HasPrefix(reason, "500 ") {
			return failure.Newf(failure.Denied, "%s", refusal(reason))
		}
		return late(reason)
	}
	answer, f := c.repeat(ctx, e)
	if f != nil {
		return nil, f
	}
	if answer.status != http.StatusOK {
		return nil, refused(answer.status, "%s", refusal(statusText(answer.status, vaultErrors(answer.body, request.secrets...))))
	}
	decoded, err := decodeAnswer(answer.body)
	if err != nil || decoded.Auth == nil || decoded.Auth.ClientToken == "" {
		return nil, failure.Newf(failure.Protocol, "the answer to the login at %s holds no token: check that %s is a Vault, and that the role needs no second factor", path, c.address)
	}
	c.http2 = answer.http2
	return decoded.Auth, nil
}

func ofRole(role string) string {
	if role == "" {
		return ""
	}
	return " of the role " + failure.QuoteName(role)
}

func (c *client) loginRequest(ctx context.Context, v *vaultSettings) (*loginRequest, *failure.Failure) {
	switch v.method {
	case authAppRole:
		return c.appRoleRequest(ctx, v)
	case authCertificate:
		return certificateRequest(v), nil
	case authAWS:
		return c.awsRequest(ctx, v)
	case authGCE:
		return c.gceRequest(ctx, v)
	case authGCPIAM:
		return c.gcpIAMRequest(ctx, v)
	case authAzure:
		return c.azureRequest(ctx, v)
	}
	return jwtRequest(v)
}

// jwtRequest trades the pod's ServiceAccount token for a token of Vault. The methods kubernetes and jwt take the same
// request.
func jwtRequest(v *vaultSettings) (*loginRequest, *failure.Failure) {
	jwt, f := readSecretFile("the ServiceAccount token", v.jwtFile)
	if f != nil {
		return nil, f
	}
	return tokenRequest(v.role, jwt, "the role, the ServiceAccount and the audience"), nil
}

// tokenRequest is the login of all methods where somebody whom Vault trusts has signed who this is.
func tokenRequest(role, jwt, check string) *loginRequest {
	fields := map[string]any{"jwt": jwt}
	if role != "" {
		fields["role"] = role
	}
	return &loginRequest{fields, []string{jwt}, check}
}

// certificateRequest needs no more than a name: what proves who this is, the connection has shown already (tls.go).
// Without a name, Vault takes the first role of the mount that trusts the certificate.
func certificateRequest(v *vaultSettings) *loginRequest {
	fields := map[string]any{}
	if v.role != "" {
		fields["name"] = v.role
	}
	return &loginRequest{fields: fields, check: "the role, the certificate " + v.certFile + ", and that nothing ends TLS before Vault"}
}
