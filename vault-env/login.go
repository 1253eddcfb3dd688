package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
)

// identity is one way to prove to Vault who this is, with the settings that are its own.
type identity interface {
	// loginRequest returns what to send to auth/MOUNT/login.
	loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure)
}

// loginRequest is what a method sends to auth/MOUNT/login.
type loginRequest struct {
	fields  map[string]any
	secrets []string // of its fields: not said, even where Vault repeats them
	check   string   // what to look at where Vault refuses it
}

// applicant is who logs in: what every method may need beside its own settings.
type applicant struct {
	*loginSettings
	connection *vaultSettings
	client     *client
	log        *logging.Logger
	outside    outside
}

// login returns a token that Vault gives by the method that the settings name.
func login(ctx context.Context, c *client, s *loginSettings, v *vaultSettings, log *logging.Logger) (token, *failure.Failure) {
	a := &applicant{s, v, c, log, outside{dial: directly}}
	return a.login(ctx)
}

func (a *applicant) login(ctx context.Context) (token, *failure.Failure) {
	request, f := a.identity.loginRequest(ctx, a)
	if f != nil {
		return token{}, f
	}
	body, err := json.Marshal(request.fields)
	if err != nil {
		return token{}, failure.Newf(failure.Settings, "the request for the login cannot be written as JSON")
	}
	path := "auth/" + a.mount + "/login"
	refusal := func(said string) string {
		return fmt.Sprintf("Vault refused the login%s at %s (%s): check %s", ofRole(a.role), path, said, request.check)
	}
	e := a.client.exchange(http.MethodPost, path, "", body, request.secrets...)
	late := e.Late
	e.Late = func(reason string) *failure.Failure {
		// Vault's azure and cert methods say no with this status. It is tried again all the same, for a Vault that
		// changes its leader has it, too.
		if strings.HasPrefix(reason, "500 ") {
			return failure.Newf(failure.Denied, "%s", refusal(reason))
		}
		return late(reason)
	}
	answer, f := a.client.repeat(ctx, e)
	if f != nil {
		return token{}, f
	}
	if answer.Status != http.StatusOK {
		return token{}, refused(answer.Status, "%s", refusal(retry.StatusText(answer.Status, vaultErrors(answer.Body, request.secrets...))))
	}
	decoded, err := decodeAnswer(answer.Body)
	if err != nil || decoded.Auth == nil || decoded.Auth.ClientToken == "" {
		return token{}, failure.Newf(failure.Protocol, "the answer to the login at %s holds no token: check that %s is a Vault, and that the role needs no second factor", path, a.connection.address)
	}
	a.client.speaksHTTP2(answer.HTTP2)
	return token{value: decoded.Auth.ClientToken, own: true, lease: tokenLeaseOf(decoded.Auth)}, nil
}

func ofRole(role string) string {
	if role == "" {
		return ""
	}
	return " of the role " + failure.QuoteName(role)
}

// tokenRequest is the login of all methods where somebody whom Vault trusts has signed who this is.
func tokenRequest(role, jwt, check string) *loginRequest {
	fields := map[string]any{"jwt": jwt}
	if role != "" {
		fields["role"] = role
	}
	return &loginRequest{fields, []string{jwt}, check}
}
