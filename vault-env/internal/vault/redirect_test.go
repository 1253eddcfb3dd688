package vault_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
)

// A redirect to the same host is followed with the method, the body and the token, whatever its status says to browsers.
func TestRedirectsKeepTheRequest(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			var mu sync.Mutex
			var got []string
			leader := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				mu.Lock()
				got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Vault-Token")+" "+string(body))
				mu.Unlock()
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				server.Server.Config.Handler.ServeHTTP(w, withPath(r, strings.Replace(r.URL.Path, "/leader", "", 1)))
			}))
			defer leader.Close()
			server.KV1("kv/led", `{"k":"v"}`)
			server.Says("PUT pki/issue/led", 200, `{"data":{"k":"written"}}`)
			elsewhere := func(path string) func(http.ResponseWriter, *http.Request) {
				return fake.Status(status, "<html>moved</html>", "Location", leader.URL+"/v1/leader/"+path) // another port
			}
			server.Handle("GET kv/a", elsewhere("kv/led"))
			server.Handle("PUT pki/issue/web", elsewhere("pki/issue/led"))
			server.Handle("POST auth/kubernetes/login", elsewhere("auth/jwt/login"))
			s := resolvetest.Settings(t, server)
			s.Vault.CAPEM += fake.PEMOf(leader)
			resolvetest.Resolve(t, s, "A=vault:kv/a#k").Want(t, "A=v")
			resolvetest.Resolve(t, s, `B=>>vault:pki/issue/web#k#{"a":1}`).Want(t, "B=written")
			login := `POST /v1/leader/auth/jwt/login  {"jwt":"` + fake.JWT + `","role":"shop"}`
			want := []string{login, "GET /v1/leader/kv/led " + fake.Token + " ", login, "PUT /v1/leader/pki/issue/led " + fake.Token + ` {"a":1}`}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func withPath(r *http.Request, path string) *http.Request {
	other := r.Clone(r.Context())
	other.URL.Path, other.RequestURI = path, path
	return other
}
