package vault_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

// What a proxy, a load balancer or a firewall says is not Vault's word: each is told as what it is, with the scheme and
// the address, and without a word of its text.
func TestRefusalsThatAreNotVaults(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"an ingress's 400":   {fake.Status(400, "<html>hunter2"), "(400 Bad Request, an HTML page) is not from Vault"},
		"an ingress's 403":   {fake.Status(403, "\n <!DOCTYPE html>hunter2"), "(403 Forbidden, an HTML page) is not from Vault"},
		"a firewall's 403":   {fake.Status(403, "RBAC: hunter2"), "(403 Forbidden, text that is not JSON) is not from Vault"},
		"a gateway's 403":    {fake.Status(403, `{"message":"hunter2"}`), "(403 Forbidden, JSON that is not Vault's) is not from Vault"},
		"an empty 403":       {fake.Status(403, ""), "(403 Forbidden, an empty body) is not from Vault"},
		"a proxy's 405":      {fake.Status(405, "<html>hunter2"), "(405 Method Not Allowed, an HTML page) is not from Vault"},
		"a proxy's 407":      {fake.Status(407, "hunter2"), "(407 Proxy Authentication Required, text that is not JSON) is not from Vault"},
		"a proxy's 413":      {fake.Status(413, "<html>hunter2"), "(413 Request Entity Too Large, an HTML page) is not from Vault"},
		"a balancer's 401":   {fake.Status(401, `["hunter2"]`), "(401 Unauthorized, JSON that is not Vault's) is not from Vault"},
		"an unknown status":  {fake.Status(499, ""), "(499, an empty body) is not from Vault"},
		"errors of no Vault": {fake.Status(400, `{"errors":{"message":"hunter2"}}`), "(400 Bad Request, JSON that is not Vault's) is not from Vault"},
		"a missing route":    {fake.Status(404, "default backend - hunter2"), "(404 Not Found, text that is not JSON) is not from Vault"},
		"a portal's 200":     {fake.Status(200, "<html>hunter2"), "an HTML page"},
	} {
		for _, at := range []string{read, "PUT pki/issue/web", "POST auth/kubernetes/login"} {
			t.Run(name+" to "+at, func(t *testing.T) {
				server := fake.NewVault(t)
				server.Handle(at, c.answer)
				env := "X=vault:secret/data/a#k"
				if strings.HasPrefix(at, "PUT") {
					env = "X=>>vault:pki/issue/web#k"
				}
				resolvetest.Resolve(t, resolvetest.Settings(t, server), env).WantFailure(t, failure.Protocol, c.says, server.URL)
			})
		}
	}
}

// Vault's own refusals stay what they are.
func TestRefusalsThatAreVaults(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"400":             {fake.Status(400, `{"errors":["hunter"]}`), "(400: hunter)"},
		"403":             {fake.Status(403, `{"errors":["permission denied"]}`), "(403: permission denied)"},
		"405, no message": {fake.Status(405, `{"errors":[]}`), "(405)"},
		"413":             {fake.Status(413, `{"errors":["http: request body too large"]}`), "(413: http: request body too large)"},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.Handle(read, c.answer)
			resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").WantFailure(t, failure.Denied, c.says)
		})
	}
}

// An http:// address of a server that expects TLS: each server says so in its own way.
func TestPlainHTTPToATLSPort(t *testing.T) {
	answering := func(answer string) string {
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		go func() {
			for {
				conn, err := server.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.Read(make([]byte, 4096))
					io.WriteString(conn, answer)
				}()
			}
		}()
		return server.Addr().String()
	}
	page := func(words string) string {
		return answering("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + words)
	}
	vault := fake.NewVault(t)
	for name, address := range map[string]string{
		"Go, such as Vault": vault.Listener.Addr().String(),
		"nginx":             page("<html><center>The plain HTTP request was sent to HTTPS port</center>"),
		"Apache":            page("<html>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"),
		"a TLS alert":       answering("\x15\x03\x01\x00\x02\x02\x46"),
	} {
		for _, token := range []string{"", fake.Token} {
			t.Run(name+" "+token, func(t *testing.T) {
				s := resolvetest.Settings(t, vault)
				s.Vault.Address, s.Login.Token = "http://"+address, token
				resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "http://"+address+" expects TLS: check the scheme, which should be https, and the port")
			})
		}
	}
	t.Run("and the other way round", func(t *testing.T) {
		plain := httptest.NewServer(vault)
		defer plain.Close()
		s := resolvetest.Settings(t, vault)
		s.Vault.Address = strings.Replace(plain.URL, "http:", "https:", 1)
		resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, s.Vault.Address+" does not speak TLS: check the scheme and the port")
	})
}
