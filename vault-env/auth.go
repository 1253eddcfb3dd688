package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// givenToken gives the token that the settings hold or point to; empty: log in.
func givenToken(v *vaultSettings) (string, *failure) {
	switch {
	case v.tokenFile != "":
		return readTokenFile("the token file", v.tokenFile)
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
		return "", fileFailure("the token file", v.tokenPath, err)
	}
	return strings.TrimSpace(string(token)), nil
}

func readTokenFile(what, path string) (string, *failure) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fileFailure(what, path, err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", failf(exitSettings, "%s %s is empty", what, path)
	}
	return token, nil
}

// login trades the pod's ServiceAccount token for a token of Vault. The methods kubernetes and jwt take the same
// request.
func (c *client) login(ctx context.Context, v *vaultSettings) (*answerAuth, *failure) {
	jwt, f := readTokenFile("the ServiceAccount token", v.jwtFile)
	if f != nil {
		return nil, f
	}
	body, err := json.Marshal(struct {
		Role string `json:"role,omitempty"`
		JWT  string `json:"jwt"`
	}{v.role, jwt})
	if err != nil {
		return nil, failf(exitSettings, "the ServiceAccount token %s is not text", v.jwtFile)
	}
	path := "auth/" + v.authMount + "/login"
	answer, f := c.do(ctx, http.MethodPost, path, "", body)
	if f != nil {
		return nil, f
	}
	if answer.status != http.StatusOK {
		said := strings.ReplaceAll(vaultErrors(answer.body), jwt, "…")
		return nil, refused(answer.status, "Vault refused the login of the role %s at %s (%s): check the role, the ServiceAccount and the audience",
			quoteName(v.role), path, statusText(answer.status, said))
	}
	decoded, err := decodeAnswer(answer.body)
	if err != nil || decoded.Auth == nil || decoded.Auth.ClientToken == "" {
		return nil, failf(exitProtocol, "the answer to the login at %s holds no token: check that %s is a Vault, and that the role needs no second factor", path, c.address)
	}
	c.http2 = answer.http2
	return decoded.Auth, nil
}
