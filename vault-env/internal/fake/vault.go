// Package fake has fakes of the services that tests talk to: a Vault, with faults in it and in front of it, and the
// services of three clouds. The fakes answer over real sockets, with real TLS, and with the same text as the real
// services; tests against a real Vault and its plugins check that.
package fake

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
)

// The credentials that the fake Vault accepts, and the token that it issues.
const (
	JWT   = "eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl"
	Token = "hvs.canary-token"
	Role  = "shop"
)

// Quiet is a logger for servers, which would log handshakes and answers that are meant to fail.
var Quiet = log.New(io.Discard, "", 0)

// Fields are the fields of a JSON object.
type Fields = map[string]any

// Vault answers as Vault 1.21 does, over TLS and HTTP/2: logins with the Kubernetes and JWT methods, both versions of
// KV, and whatever answers a test sets.
type Vault struct {
	*httptest.Server
	mu       sync.Mutex
	answers  map[string]func(w http.ResponseWriter, r *http.Request) // by "METHOD path?query"
	requests []string
	Conns    map[string]bool
	Protos   map[string]bool
}

// NewVault returns a Vault that runs until the test ends.
func NewVault(t *testing.T, change ...func(*tls.Config)) *Vault {
	t.Helper()
	f := &Vault{answers: map[string]func(http.ResponseWriter, *http.Request){}, Conns: map[string]bool{}, Protos: map[string]bool{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.EnableHTTP2 = true
	f.TLS = &tls.Config{}
	for _, c := range change {
		c(f.TLS)
	}
	f.Config.ErrorLog = Quiet
	f.StartTLS()
	t.Cleanup(f.Close)
	f.Handle("POST auth/kubernetes/login", f.Login)
	f.Handle("POST auth/jwt/login", f.Login)
	f.Says(LookupRequest, 200, LookedUp(Token))
	f.Says(RevocationRequest, 204, "")
	return f
}

// Handle sets the answer to a request: "METHOD path?query".
func (f *Vault) Handle(what string, answer func(http.ResponseWriter, *http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = answer
}

// Says sets the status and body of the answer to a request.
func (f *Vault) Says(what string, status int, body string) {
	f.Handle(what, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// KV1 and KV2 add a secret. data is a JSON object.
func (f *Vault) KV1(path, data string) {
	f.Says("GET "+path, 200, `{"request_id":"1","lease_id":"","renewable":false,"lease_duration":2764800,"data":`+data+`,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}`)
}

func (f *Vault) KV2(path, data string) {
	f.Says("GET "+path, 200, KV2Answer(data, `"deletion_time":"","destroyed":false`))
}

// KV2Answer returns an answer of KV version 2. state is part of the version's metadata.
func KV2Answer(data, state string) string {
	return `{"request_id":"1","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":` + data +
		`,"metadata":{"created_time":"2026-01-02T03:04:05.6Z","custom_metadata":null,` + state + `,"version":3}},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}`
}

// Login answers a login with the ServiceAccount token.
func (f *Vault) Login(w http.ResponseWriter, r *http.Request) {
	var body struct{ Role, JWT string }
	json.NewDecoder(r.Body).Decode(&body)
	switch {
	case body.JWT != JWT:
		w.WriteHeader(403)
		io.WriteString(w, `{"errors":["permission denied"]}`)
	case body.Role != Role:
		w.WriteHeader(400)
		io.WriteString(w, `{"errors":["invalid role name \"`+body.Role+`\""]}`)
	default:
		io.WriteString(w, `{"data":null,"auth":{"client_token":"`+Token+`","accessor":"a","policies":["shop"],"lease_duration":600,"renewable":true,"num_uses":0}}`)
	}
}

// ServeHTTP records a request and answers it.
func (f *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/v1/")
	f.mu.Lock()
	f.requests = append(f.requests, what)
	f.Conns[r.RemoteAddr] = true
	f.Protos[r.Proto] = true
	answer, ok := f.answers[what]
	f.mu.Unlock()
	switch {
	case r.Header.Get("X-Vault-Request") != "true":
		w.WriteHeader(412)
		io.WriteString(w, `{"errors":["missing X-Vault-Request"]}`)
	case !ok && r.Method == http.MethodGet && r.Header.Get("X-Vault-Token") == Token:
		w.WriteHeader(404)
		io.WriteString(w, `{"errors":[]}`)
	case !strings.HasPrefix(what, "POST auth/") && !strings.Contains(what, " sys/wrapping/") && r.Header.Get("X-Vault-Token") != Token:
		w.WriteHeader(403)
		io.WriteString(w, `{"errors":["permission denied"]}`)
	case !ok:
		w.WriteHeader(404)
		io.WriteString(w, `{"errors":["no handler for route"]}`)
	default:
		answer(w, r)
	}
}

// Seen returns the requests so far.
func (f *Vault) Seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...)
}

// Reads returns how many of the requests were reads of secrets.
func (f *Vault) Reads() int {
	n := 0
	for _, request := range f.Seen() {
		if strings.HasPrefix(request, "GET ") && request != LookupRequest {
			n++
		}
	}
	return n
}

// CaPEM returns the certificate to trust.
func (f *Vault) CaPEM() string {
	return PEMOf(f.Server)
}

// PEMOf returns a server's certificate.
func PEMOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// Settings returns what the webhook would write for this Vault, with some parts replaced. The CA is inline, so that
// vault-env can read it as any user.
func (f *Vault) Settings(t *testing.T, change ...func(Fields)) string {
	t.Helper()
	c := Fields{"vault": Fields{"address": f.URL, "timeout": "5s", "tls": Fields{"caBundle": f.CaPEM()},
		"auth": Fields{"role": Role, "tokenPath": File(t, "jwt", JWT)}}}
	for _, change := range change {
		change(c)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return environment.ConfigVariable + "=" + string(text)
}

// File returns the path of a new file.
func File(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
