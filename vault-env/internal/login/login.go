// Package login gets vault-env's token: one that was given, or one that Vault issues for an identity that vault-env can
// prove.
//
// Each Vault auth method has one file with everything specific to it: its settings, how they are read from
// VAULT_ENV_CONFIG and from Bank-Vaults' variables, and its request. The table in methods.go lists the methods: to add
// one, write its file and its row. Requests to cloud services are in cloud.go.
package login

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/vault"
)

// identity is one way to prove an identity to Vault, with its settings.
type identity interface {
	// loginRequest returns what to send to auth/MOUNT/login.
	loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure)
}

// loginRequest is what a method sends to auth/MOUNT/login.
type loginRequest struct {
	fields  map[string]any
	secrets []string // in its fields: never printed, even if Vault repeats them
	check   string   // what to check if Vault refuses it
	// isServiceAccount is true if a ServiceAccount's token is in it.
	isServiceAccount bool
	audience         string // of that token; empty: not known
}

// applicant has what every method may need in addition to its own settings.
type applicant struct {
	*Settings
	connection *vault.Connection
	client     *vault.Client
	log        *logging.Logger
	outside    outside
}

// Login logs in with the method in the settings, and returns the token that Vault issues.
func Login(ctx context.Context, c *vault.Client, s *Settings, v *vault.Connection, log *logging.Logger) (vault.Token, *failure.Failure) {
	a := &applicant{s, v, c, log, outside{dial: directly}}
	return a.login(ctx)
}

func (a *applicant) login(ctx context.Context) (vault.Token, *failure.Failure) {
	request, f := a.identity.loginRequest(ctx, a)
	if f != nil {
		return vault.Token{}, f
	}
	body, err := json.Marshal(request.fields)
	if err != nil {
		return vault.Token{}, failure.Newf(failure.Settings, "the login request cannot be encoded as JSON")
	}
	path := "auth/" + a.Mount + "/login"
	refusal := func(said, added string) string { // added is ours: the advice depends on what Vault said
		return fmt.Sprintf("Vault refused the login%s at %s (%s): %s", ofRole(a.Role), path, said+added, a.advice(said, request))
	}
	unanswered := sync.OnceFunc(func() {
		a.log.Warn("a login went unanswered: if Vault completed it, its token is valid until its TTL ends")
	})
	e := vault.Unhurried(a.client.Unshared().Exchange(http.MethodPost, path, "", body, request.secrets...), unanswered)
	if request.isServiceAccount {
		again, patience := e.Again, patienceFor(ctx, time.Now())
		e.Again = func(a *retry.Answer) bool {
			return again(a) || a.Status == http.StatusForbidden && vault.IsVaults(a.Body) && patience.again(time.Now())
		}
	}
	var last *retry.Answer // what the reason of Late describes, at its beginning
	var said string
	describe, late := e.Describe, e.Late
	e.Describe = func(a *retry.Answer, err error) string {
		last, said = a, describe(a, err)
		return said
	}
	e.Late = func(reason string) *failure.Failure {
		if !refusedLate(last) {
			return late(reason)
		}
		return failure.Newf(failure.Denied, "%s", refusal(strings.Replace(said, "403 Forbidden", "403", 1), strings.TrimPrefix(reason, said)))
	}
	answer, f := a.client.Repeat(ctx, e)
	if f != nil {
		return vault.Token{}, f
	}
	if f := a.client.NotVaults(answer); f != nil { // a 404, too
		return vault.Token{}, f
	}
	if answer.Status != http.StatusOK {
		return vault.Token{}, vault.Refused(answer.Status, "%s", refusal(retry.StatusText(answer.Status, vault.Errors(answer.Body, request.secrets...)), ""))
	}
	decoded, err := vault.Decode(answer.Body)
	if err != nil || decoded.Auth == nil || decoded.Auth.ClientToken == "" {
		return vault.Token{}, failure.Newf(failure.Protocol, "the response to the login at %s contains no token%s: check that %s is a Vault server, and that the role does not require multi-factor authentication", path, butIs(answer.Body, err), a.connection.Address)
	}
	a.client.SpeaksHTTP2(answer.HTTP2)
	return vault.IssuedToken(decoded.Auth), nil
}

// refusedLate returns whether the last answer, if there was one, is Vault's refusal of the login. Vault's azure and cert
// methods refuse a login with the status 500, which is retried anyway, because Vault also answers 500 during a leader
// election, and so do load balancers. A 403 is told as it is if the timeout comes before the patience with it ends.
func refusedLate(last *retry.Answer) bool {
	return last != nil && (last.Status == http.StatusForbidden || last.Status == http.StatusInternalServerError) && vault.IsVaults(last.Body)
}

// butIs returns what a body is that is not JSON as Vault's.
func butIs(body []byte, err error) string {
	if err == nil {
		return ""
	}
	return ", but " + vault.Kind(body)
}

// advice returns what to do about a refused login, whose status and message are in said. Two messages of Vault say
// nothing about their cause, and have the same one nearly always.
func (a *applicant) advice(said string, request *loginRequest) string {
	switch {
	case request.isServiceAccount && strings.HasSuffix(said, "permission denied"):
		expects := ""
		if request.audience != "" {
			expects = fmt.Sprintf("that the role expects the audience of the token, %s, ", failure.QuoteName(request.audience))
		}
		return fmt.Sprintf("check %sthat the auth method is mounted at auth/%s, and that Vault may review tokens, if the method is kubernetes (ClusterRole system:auth-delegator for its token_reviewer_jwt or its own ServiceAccount)%s", expects, a.Mount, eitherCause)
	case strings.Contains(said, "could not load backend configuration"):
		return fmt.Sprintf("configure the auth method (vault write auth/%s/config …)", a.Mount)
	}
	if request.isServiceAccount && strings.HasPrefix(said, "403") {
		return "check " + request.check + eitherCause
	}
	return "check " + request.check
}

// eitherCause says what a 403 means that did not go away.
const eitherCause = ". Either the role, its bound audience or its ServiceAccounts do not match, or Vault could not have the token reviewed by the API server: Vault's log says which"

func ofRole(role string) string {
	if role == "" {
		return ""
	}
	return " with role " + failure.QuoteName(role)
}

// tokenRequest returns the login request of the methods that use a signed token.
func tokenRequest(role, jwt, check string) *loginRequest {
	fields := map[string]any{"jwt": jwt}
	if role != "" {
		fields["role"] = role
	}
	return &loginRequest{fields: fields, secrets: []string{jwt}, check: check}
}
