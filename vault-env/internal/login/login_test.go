package login_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/settings"
)

// Logins to a real Vault are in integration_auth_test.go; these are answers that a real Vault does not give.

// wrappedSettings also returns the file with the wrapping token.
func wrappedSettings(t *testing.T, server *fake.Vault) (s *settings.Settings, wrapped string) {
	t.Helper()
	wrapped = fake.File(t, "wrapped", "hvs.canary-wrapping")
	return resolvetest.Settings(t, server, resolvetest.WithAuth(fake.Fields{"method": "AppRole", "roleIDFile": fake.File(t, "role", "role-id\n"), "secretIDFile": wrapped, "secretIDWrapped": true})), wrapped
}

// fakeWrapping answers for one wrapping token as Vault does, and unwraps once.
func fakeWrapping(server *fake.Vault, path string) {
	opened := false
	only := func(answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if opened || r.Header.Get("X-Vault-Token") != "hvs.canary-wrapping" {
				w.WriteHeader(400)
				io.WriteString(w, `{"errors":["wrapping token is not valid or does not exist"]}`)
				return
			}
			answer(w)
		}
	}
	server.Handle("GET sys/wrapping/lookup", only(func(w http.ResponseWriter) {
		io.WriteString(w, `{"data":{"creation_path":"`+path+`","creation_time":"2026-01-02T03:04:05Z","creation_ttl":300}}`)
	}))
	server.Handle("POST sys/wrapping/unwrap", only(func(w http.ResponseWriter) {
		opened = true
		io.WriteString(w, `{"data":{"secret_id":"canary-secret-id","secret_id_accessor":"a","secret_id_num_uses":0,"secret_id_ttl":0}}`)
	}))
}

func TestWrappedSecretID(t *testing.T) {
	server := fake.NewVault(t)
	fakeWrapping(server, "auth/approle/role/shop/secret-id")
	server.AnswerLogin("approle", func(body map[string]any) string {
		if body["role_id"] != "role-id" || body["secret_id"] != "canary-secret-id" {
			return "invalid role or secret ID"
		}
		return ""
	})
	server.KV1("secret/data/a", `{"k":"v"}`)
	s, _ := wrappedSettings(t, server)
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
	// Looked up before it is unwrapped; then unwrapped once, and not used for the login.
	if got := strings.Join(server.Seen()[:3], ", "); got != "GET sys/wrapping/lookup, POST sys/wrapping/unwrap, POST auth/approle/login" {
		t.Errorf("asked %s", got)
	}
}

func TestWrappedSecretIDTrouble(t *testing.T) {
	const lookup, unwrap = "GET sys/wrapping/lookup", "POST sys/wrapping/unwrap"
	for name, c := range map[string]struct {
		at     string
		code   int
		body   string
		status int
		says   string
	}{
		"no Vault":                    {lookup, 200, "<html>", failure.Protocol, "sys/wrapping/lookup is not from Vault"},
		"no creation path":            {lookup, 200, `{"data":{}}`, failure.Denied, `it was created at "", not at auth/approle/role/*/secret-id: treat it as stolen`},
		"a path that is not a string": {lookup, 200, `{"data":{"creation_path":["auth/approle/role/shop/secret-id"]}}`, failure.Denied, "treat it as stolen"},
		"a path beside the mount":     {lookup, 200, `{"data":{"creation_path":"auth/approle2/role/shop/secret-id"}}`, failure.Denied, "treat it as stolen"},
		"a path below the secret ID":  {lookup, 200, `{"data":{"creation_path":"auth/approle/role/shop/secret-id/x"}}`, failure.Denied, "treat it as stolen"},
		"a path without a role":       {lookup, 200, `{"data":{"creation_path":"auth/approle/role//secret-id"}}`, failure.Denied, "treat it as stolen"},
		"a token that Vault repeats":  {lookup, 403, `{"errors":["bad token hvs.canary-wrapping"]}`, failure.Denied, "(403: bad token …): issue a new one"},
		"not found":                   {lookup, 404, `{"errors":[]}`, failure.Missing, "Vault refused sys/wrapping/lookup (404): check the namespace"},
		"sealed":                      {lookup, 503, `{"errors":["Vault is sealed"]}`, failure.Unavailable, "Vault is sealed"},
		"unwrapped in the meantime":   {unwrap, 400, `{"errors":["wrapping token is not valid or does not exist"]}`, failure.Denied, "if you do not know who used it, treat the secret ID as stolen"},
		"no secret ID in it":          {unwrap, 200, `{"data":{"token":"canary"}}`, failure.Protocol, "it contains no secret ID: wrap the response of auth/approle/role/*/secret-id"},
		"no data":                     {unwrap, 200, `{}`, failure.Protocol, "is not from Vault"},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			fakeWrapping(server, "auth/approle/role/shop/secret-id")
			server.Says(c.at, c.code, c.body)
			s, wrapped := wrappedSettings(t, server)
			if c.status == failure.Unavailable {
				s.Vault.Timeout = 3 * time.Second
			}
			o := resolvetest.Resolve(t, s, "X=vault:secret/data/a#k")
			o.WantFailure(t, c.status, "the wrapped secret ID "+wrapped, c.says)
			if strings.Contains(o.Failure.Message, "canary") {
				t.Errorf("a credential is printed: %s", o.Failure.Message)
			}
		})
	}
}

// Vault's azure and cert methods refuse a login with the status of an internal error.
func TestLoginRefusedWithStatus500(t *testing.T) {
	t.Parallel()
	server := fake.NewVault(t)
	server.Says("POST auth/kubernetes/login", 500, `{"errors":["oidc: expected audience \"a\" in `+fake.JWT+`"]}`)
	s := resolvetest.Settings(t, server)
	s.Vault.Timeout = 4 * time.Second
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Denied,
		`Vault refused the login with role "shop" at auth/kubernetes/login (500 Internal Server Error: oidc: expected audience "a" in …): check the role`)
	if n := len(server.Seen()); n < 2 {
		t.Errorf("%d attempts", n)
	}
}

// A TLS server in front of Vault, or Vault's own, may not trust the client's CA.
func TestClientCertificateRejected(t *testing.T) {
	mine, theirs := fake.NewPKI(t), fake.NewPKI(t)
	certFile, keyFile := mine.Files("web.shop", func(*x509.Certificate) {})
	clients := x509.NewCertPool()
	clients.AddCert(theirs.Cert)
	server := fake.NewVault(t, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients })
	for name, change := range map[string]func(fake.Fields){
		"of another CA": resolvetest.WithAuth(fake.Fields{"method": "Certificate", "role": fake.Role, "mountPath": "kubernetes", "certFile": certFile, "keyFile": keyFile}),
		"none":          func(fake.Fields) {},
	} {
		t.Run(name, func(t *testing.T) {
			resolvetest.Resolve(t, resolvetest.Settings(t, server, change), "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, "rejected the client certificate (tls: ", "check its validity period and its CA, or set one if there is none")
		})
	}
}

func TestFilesOfLogins(t *testing.T) {
	server := fake.NewVault(t)
	jwt := fake.File(t, "jwt", fake.JWT)
	for name, c := range map[string]struct {
		auth fake.Fields
		says string
	}{
		"no ServiceAccount token": {fake.Fields{"tokenPath": "/nonexistent"}, "the ServiceAccount token /nonexistent cannot be read: no such file"},
		"an empty one":            {fake.Fields{"tokenPath": fake.File(t, "jwt", " \n")}, "is empty"},
		"one of two lines":        {fake.Fields{"tokenPath": fake.File(t, "jwt", "canary\ncanary")}, "is malformed: it must contain one line"},
		"no role ID":              {fake.Fields{"method": "AppRole", "roleIDFile": "/nonexistent"}, "the role ID file /nonexistent cannot be read"},
		"no secret ID":            {fake.Fields{"method": "AppRole", "roleIDFile": jwt, "secretIDFile": "/nonexistent"}, "the secret ID file /nonexistent cannot be read"},
		"no wrapping token": {fake.Fields{"method": "AppRole", "roleIDFile": jwt, "secretIDFile": "/nonexistent", "secretIDWrapped": true},
			"the wrapped secret ID file /nonexistent cannot be read"},
		"a token file of two lines": {nil, "the token file"},
		"a directory for a role ID": {fake.Fields{"method": "AppRole", "roleIDFile": t.TempDir()}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := fake.Fields{"role": fake.Role}
			maps.Copy(auth, c.auth)
			s := resolvetest.Settings(t, server, resolvetest.WithAuth(auth))
			if c.auth == nil { // only Bank-Vaults' variables can set one
				s.Login.TokenFile = fake.File(t, "token", "canary\r\ncanary")
			}
			o := resolvetest.Resolve(t, s, "X=vault:secret/data/a#k")
			o.WantFailure(t, failure.Settings, c.says)
			if strings.Contains(o.Failure.Message, "canary") {
				t.Errorf("a credential is printed: %s", o.Failure.Message)
			}
		})
	}
	if asked := server.Seen(); len(asked) != 0 {
		t.Errorf("Vault was asked: %v", asked)
	}
}

// tokenFor returns a JWT with an audience in JSON.
func tokenFor(audience string) []byte {
	return []byte("eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":`+audience+`}`)) + ".c2ln")
}

// Vault's kubernetes method refuses a token with 403 whenever the API server does not review it: a busy API server must
// not fail the start. Of Vault's answers, only this one is tried again.
func TestARefusedServiceAccountIsTriedAgain(t *testing.T) {
	t.Parallel()
	denied := fake.Status(403, `{"errors":["permission denied"]}`)
	for _, method := range []string{"Kubernetes", "JWT"} {
		mount := strings.ToLower(method)
		for _, times := range []int{1, 2, 5} {
			server := fake.NewVault(t)
			server.Handle("GET secret/data/a", fake.Good)
			var answers []func(http.ResponseWriter, *http.Request)
			for range times {
				answers = append(answers, denied)
			}
			server.Handle("POST auth/"+mount+"/login", fake.InTurn(append(answers, server.Login)...))
			s := resolvetest.Settings(t, server, resolvetest.WithAuth(fake.Fields{"method": method, "role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}))
			s.Vault.Timeout = 20 * time.Second
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
		}
		for name, answer := range map[string]http.HandlerFunc{
			"permission denied":        denied,
			"namespace not authorized": fake.Status(403, `{"errors":["namespace not authorized"]}`),
		} {
			server := fake.NewVault(t)
			server.Handle("POST auth/"+mount+"/login", answer)
			s := resolvetest.Settings(t, server, resolvetest.WithAuth(fake.Fields{"method": method, "role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}))
			s.Vault.Timeout = 3 * time.Second
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, "auth/"+mount+"/login (403", name,
				"Either the role, its bound audience or its ServiceAccounts do not match, or Vault could not have the token reviewed by the API server")
			if n := len(server.Seen()); n < 2 {
				t.Errorf("%s, %s: %d attempts", method, name, n)
			}
		}
		for name, answer := range map[string]http.HandlerFunc{
			"a bad role": fake.Status(400, `{"errors":["invalid role name"]}`), "somebody else's 403": fake.Status(403, "<html>"),
		} {
			server := fake.NewVault(t)
			server.Handle("POST auth/"+mount+"/login", answer)
			s := resolvetest.Settings(t, server, resolvetest.WithAuth(fake.Fields{"method": method, "role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}))
			if o := resolvetest.Resolve(t, s, "X=vault:secret/data/a#k"); o.Failure == nil || len(server.Seen()) != 1 {
				t.Errorf("%s, %s: %+v after %v", method, name, o, server.Seen())
			}
		}
	}
	// A secret ID or a certificate is refused for good.
	server := fake.NewVault(t)
	server.Says("POST auth/approle/login", 403, `{"errors":["permission denied"]}`)
	s := resolvetest.Settings(t, server, resolvetest.WithAuth(fake.Fields{"method": "AppRole", "roleIDFile": fake.File(t, "role", "role-id")}))
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, "403")
	if n := len(server.Seen()); n != 1 {
		t.Errorf("AppRole: %d attempts", n)
	}
}

func TestLoginFailures(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings.Settings)
		answer func(http.ResponseWriter, *http.Request)
		status int
		says   []string
	}{
		"a wrong role":  {change: func(s *settings.Settings) { s.Login.Role = "nobody" }, status: failure.Denied, says: []string{`the login with role "nobody" at auth/kubernetes/login (400: invalid role name "nobody")`}},
		"a wrong token": {change: func(s *settings.Settings) { os.WriteFile(s.Login.JWTFile, []byte("other"), 0o600) }, status: failure.Denied, says: []string{"403: permission denied): check that the auth method is mounted at auth/kubernetes, and that Vault may review tokens"}},
		"a token for somebody else": {
			change: func(s *settings.Settings) { os.WriteFile(s.Login.JWTFile, tokenFor(`"vault"`), 0o600) }, status: failure.Denied,
			says: []string{`403: permission denied): check that the role expects the audience of the token, "vault", that the auth method is mounted at auth/kubernetes`},
		},
		"a token that does not fit": {
			change: func(s *settings.Settings) {
				os.WriteFile(s.Login.JWTFile, tokenFor(`["https://kubernetes.default.svc","k3s"]`), 0o600)
			},
			answer: fake.Status(400, `{"errors":["invalid audience (aud) claim"]}`), status: failure.Denied,
			says: []string{`check the role, the ServiceAccount and the audience, which is "https://kubernetes.default.svc" for this token`},
		},
		"an unset method":   {answer: fake.Status(500, `{"errors":["could not load backend configuration"]}`), status: failure.Denied, says: []string{"configure the auth method (vault write auth/kubernetes/config …)"}},
		"another refusal":   {answer: fake.Status(403, `{"errors":["namespace not authorized"]}`), status: failure.Denied, says: []string{"403: namespace not authorized): check the role, the ServiceAccount and the audience"}},
		"no token file":     {change: func(s *settings.Settings) { s.Login.JWTFile = "/nonexistent/token" }, status: failure.Settings, says: []string{"the ServiceAccount token /nonexistent/token cannot be read: no such file or directory"}},
		"an empty token":    {change: func(s *settings.Settings) { os.WriteFile(s.Login.JWTFile, []byte(" \n"), 0o600) }, status: failure.Settings, says: []string{"is empty"}},
		"an unknown mount":  {change: func(s *settings.Settings) { s.Login.Mount = "k8s/x" }, status: failure.Missing, says: []string{"auth/k8s/x/login (404: no handler for route)"}},
		"an echoed token":   {answer: fake.Status(400, `{"errors":["bad token `+fake.JWT+`"]}`), status: failure.Denied, says: []string{"400: bad token …"}},
		"no token in it":    {answer: fake.Status(200, `{"auth":{}}`), status: failure.Protocol, says: []string{"contains no token"}},
		"no auth in it":     {answer: fake.Status(200, `{"data":{}}`), status: failure.Protocol, says: []string{"contains no token"}},
		"a page":            {answer: fake.Status(200, `<html>`), status: failure.Protocol, says: []string{"contains no token"}},
		"a malformed token": {answer: fake.Status(200, `{"auth":{"client_token":"a\r\nX-Evil: 1"}}`), status: failure.Settings, says: []string{"malformed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			s := resolvetest.Settings(t, server)
			s.Vault.Timeout = 4 * time.Second // a 403 is tried again for a part of it
			if c.change != nil {
				c.change(s)
			}
			if c.answer != nil {
				server.Handle("POST auth/kubernetes/login", c.answer)
			}
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, c.status, c.says...)
			if server.Reads() > 0 {
				t.Errorf("read without a token: %v", server.Seen())
			}
		})
	}
}

func TestTokensFromFiles(t *testing.T) {
	server := fake.NewVault(t)
	server.Handle("GET secret/data/a", fake.Good)
	for name, c := range map[string]struct {
		change func(*settings.Settings)
		logins int
	}{
		"a token file":                {func(s *settings.Settings) { s.Login.TokenFile = fake.File(t, "t", fake.Token+"\n") }, 0},
		"a token file before a token": {func(s *settings.Settings) { s.Login.TokenFile = fake.File(t, "t", fake.Token); s.Login.Token = "other" }, 0},
		"a token before a path":       {func(s *settings.Settings) { s.Login.Token = fake.Token; s.Login.TokenPath = fake.File(t, "t", "other") }, 0},
		"a path before a login":       {func(s *settings.Settings) { s.Login.TokenPath = fake.File(t, "t", fake.Token) }, 0},
		"a path without a file":       {func(s *settings.Settings) { s.Login.TokenPath = "/nonexistent" }, 1},
		"a path with an empty file":   {func(s *settings.Settings) { s.Login.TokenPath = fake.File(t, "t", "\n") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(server.Seen())
			s := resolvetest.Settings(t, server)
			c.change(s)
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
			if n := len(server.Seen()) - before; n != 1+c.logins {
				t.Errorf("%d requests", n)
			}
		})
	}
	t.Run("a token file that does not exist", func(t *testing.T) {
		s := resolvetest.Settings(t, server)
		s.Login.TokenFile = "/nonexistent"
		resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Settings, "the token file /nonexistent cannot be read")
	})
	t.Run("a token that was revoked", func(t *testing.T) {
		s := resolvetest.Settings(t, server)
		s.Login.Token = "revoked"
		resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, "403")
	})
}
