package fake

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Cloud is the network of a machine in a cloud: it maps the real addresses and names of the services that a test adds
// to fakes on loopback. Every other address is unchanged.
type Cloud struct {
	T     *testing.T
	PKI   *PKI
	mu    sync.Mutex
	Hosts map[string]string // "HOST:PORT" to the address of a fake
	asked []string
}

// NewCloud returns a cloud without services.
func NewCloud(t *testing.T) *Cloud {
	t.Helper()
	return &Cloud{T: t, PKI: NewPKI(t), Hosts: map[string]string{}}
}

// Serve adds a fake at an address: at port 443 with TLS and a certificate for the name, at port 80 without TLS.
func (f *Cloud) Serve(address string, fake http.HandlerFunc) *httptest.Server {
	f.T.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		f.T.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.Host+r.URL.RequestURI())
		f.mu.Unlock()
		fake(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if port == "443" {
		certificate, key := f.PKI.issue(host, func(c *x509.Certificate) { c.DNSNames = []string{host} })
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}}
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	f.T.Cleanup(s.Close)
	f.Hosts[address] = s.Listener.Addr().String()
	return s
}

// Dial connects to the fakes. Their certificates are from the CA that Roots returns.
func (f *Cloud) Dial(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
	if to, ok := f.Hosts[address]; ok {
		address = to
	}
	return d.DialContext(ctx, network, address)
}

// Roots returns the CA of the cloud.
func (f *Cloud) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(f.PKI.Cert)
	return roots
}

// Seen returns the requests that the fakes received.
func (f *Cloud) Seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// Recovering answers the first two requests with errors, then like the service.
func Recovering(fake http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		first := n <= 2
		mu.Unlock()
		if first {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		fake(w, r)
	}
}

// AnswerLogin makes the fake Vault check a login as one of its methods does, and answer with what is wrong with it.
func (f *Vault) AnswerLogin(mount string, check func(body map[string]any) string) {
	f.Handle("POST auth/"+mount+"/login", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, `{"errors":["not JSON"]}`, 400)
			return
		}
		if wrong := check(body); wrong != "" {
			message, _ := json.Marshal(map[string][]string{"errors": {wrong}})
			w.WriteHeader(400)
			w.Write(message)
			return
		}
		io.WriteString(w, `{"auth":{"client_token":"`+Token+`","lease_duration":600,"renewable":true}}`)
	})
}

// claims returns the claims of a JWT without checking its signature.
func claims(jwt string) map[string]any {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	var c map[string]any
	content, _ := fromBase64URL(parts[1])
	json.Unmarshal(content, &c)
	return c
}

// IssuerKey is the key of the JWT issuer in these tests; its ID is "1".
var IssuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// fakeJWT returns a JWT signed by the issuer (RS256).
func fakeJWT(claims map[string]any) string {
	content, _ := json.Marshal(claims)
	signed := Base64URL([]byte(`{"alg":"RS256","typ":"JWT","kid":"1"}`)) + "." + Base64URL(content)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, IssuerKey(), crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + Base64URL(signature)
}

// Environment returns variables that make a process use the cloud: its proxy, and its CA in place of the system's.
func (f *Cloud) Environment() []string {
	ca := File(f.T, "ca.pem", PEM("CERTIFICATE", f.PKI.Cert.Raw))
	proxy, _ := NewProxy(f.T, false, f.Hosts)
	return []string{"HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=/nonexistent"}
}
