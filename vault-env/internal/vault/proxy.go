package vault

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// UseProxy makes a transport, whose DialContext is set, send its requests through the proxy of the connection; or
// directly, if it has none.
func (v *Connection) UseProxy(t *http.Transport) *failure.Failure {
	t.OnProxyConnectResponse = proxyAnswer
	if v.ProxyURL == "" {
		if v.FollowsEnvironment {
			t.Proxy = http.ProxyFromEnvironment
		}
		return nil
	}
	proxy, err := url.Parse(v.ProxyURL)
	if err != nil {
		return failure.Newf(failure.Settings, "vault.proxyURL is not a URL: write https://HOST:PORT")
	}
	t.Proxy = http.ProxyURL(proxy)
	if proxy.Scheme != "https" {
		return nil
	}
	// http.Transport would use the configuration that is for Vault, with its server name and its client certificate.
	config, f := rootsOf(v)
	if f != nil {
		return f
	}
	config.ServerName = proxy.Hostname()
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := t.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(plain, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			plain.Close()
			return nil, &proxyError{err}
		}
		return secured, nil
	}
	return nil
}

// proxyAnswer returns an error that says whose word it is if a proxy does not connect: net/http's is only the status text
// that the proxy sent, such as "Forbidden".
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy refused to connect: %s", strings.TrimSpace(fmt.Sprint(answer.StatusCode)+" "+http.StatusText(answer.StatusCode)))
}

// proxyError is an error of the connection to the proxy, not of the one to Vault within it.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return e.err.Error() }

func (e *proxyError) Unwrap() error { return e.err }
