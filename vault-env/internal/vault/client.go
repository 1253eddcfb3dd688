// Package vault is vault-env's Vault client: the connection, which requests to retry, what an answer means, and leases.
// It reads and writes secrets (Client.Read), decrypts (Client.Decryptions) and revokes the token
// (Client.BeginRevocation). Getting a token is up to package login.
//
// It knows nothing about variables and references: callers add their names to messages.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
)

const (
	// Far more than Vault stores (an entry of its integrated storage is at most 1 MiB), and little enough for any
	// container's memory.
	maxAnswer = 8 << 20
	// All answers of one start together: no environment is larger than a few MiB, whatever else the secrets contain.
	maxAnswers = 32 << 20
	// Reads in flight on one HTTP/2 connection. Vault allows 250 streams; more than 64 are no faster.
	maxInFlight = 64
	// Connections without HTTP/2: about as many as a browser opens, so that 50 reads do not become 50 handshakes.
	maxConnections = 8
	// Read of a redirect's body.
	maxRedirectBody = 64 << 10
)

// Client sends requests to one Vault. Its deadline is the context's: login, reads and retries share one timeout.
type Client struct {
	lines     *lines
	address   string
	where     string // Vault and the proxy before it, for messages
	namespace string
	Token     string
	userAgent string
	log       *logging.Logger
	retrier   retry.Retrier
	sleep     func(context.Context, time.Duration) bool // between the attempts of a revocation
	allowance *atomic.Int64                             // bytes left for all answers together; nil: no limit
	unshared  bool                                      // no answer is to come from a cache
}

// NewClient returns a client that has not connected yet. loggedIn is true if a token was given, so that the first
// requests are many at once: then they must share one connection if it uses HTTP/2, and http.Transport would dial one for
// each of them. So the others wait until the first one has a connection (RunAll). After a login, they reuse its connection.
func NewClient(v *Connection, loggedIn bool, log *logging.Logger) (*Client, *failure.Failure) {
	config, f := tlsConfig(v)
	if f != nil {
		return nil, f
	}
	// A dial that hangs (a dead endpoint behind a Service address) leaves time for other attempts.
	dial := max(v.Timeout/4, time.Second)
	names := newDialer(dial)
	transport := &http.Transport{
		DialContext:         names.dial,
		TLSHandshakeTimeout: dial,
		TLSClientConfig:     config,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		IdleConnTimeout:     time.Second, // daemon mode rarely sends requests
		MaxIdleConnsPerHost: maxConnections,
		MaxConnsPerHost:     maxConnections,
	}
	http2 := loggedIn && strings.HasPrefix(v.Address, "https:")
	var learned chan struct{}
	if http2 {
		transport.MaxConnsPerHost = 1
		learned = make(chan struct{})
	}
	if f := v.UseProxy(transport); f != nil {
		return nil, f
	}
	address := v.useSocket(transport)
	where := "Vault at " + v.Address
	if v.ProxyURL != "" {
		where += " through the proxy " + v.ProxyURL
	}
	return &Client{
		lines: &lines{now: &line{Transport: transport}, http2: http2, learned: learned, names: names,
			clock: time.Now, refused: map[string]time.Time{}},
		address:   address,
		where:     where,
		namespace: v.Namespace,
		userAgent: v.UserAgent,
		log:       log,
		retrier:   retry.New(log).AtMost(v.Attempts),
		sleep:     retry.Sleep,
	}, nil
}

// As returns a client with the same connections and another token.
func (c *Client) As(token string) *Client {
	other := *c
	other.Token = token
	return &other
}

// Unshared returns a client with the same connections, whose requests are all different. The cache of a Vault Proxy or
// Agent takes equal requests for one (computeIndexID in command/agentproxyshared/cache of Vault): two containers of a pod
// that log in with the same ServiceAccount token would share one token, which the first would revoke for both.
func (c *Client) Unshared() *Client {
	other := *c
	other.unshared = true
	return &other
}

// SpeaksHTTP2 tells the client whether its connection uses HTTP/2.
func (c *Client) SpeaksHTTP2(does bool) { c.lines.speaksHTTP2(does) }

// LimitAnswers turns the limit on the size of all answers together on or off.
func (c *Client) LimitAnswers(on bool) {
	if c.allowance = nil; on {
		c.allowance = &atomic.Int64{}
		c.allowance.Store(maxAnswers)
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.lines.close() }

// concurrency returns how many requests to send at once.
func (c *Client) concurrency() int {
	if c.lines.areHTTP2() {
		return maxInFlight
	}
	return maxConnections
}

// Do returns the final answer to a request. path is cleaned and not yet escaped. Do retries while that may help and the
// context's deadline allows it, and fails if there is no final answer. What a final answer means is up to the caller.
func (c *Client) Do(ctx context.Context, method, path, version string, body []byte) (*retry.Answer, *failure.Failure) {
	return c.Repeat(ctx, c.Exchange(method, path, version, body, c.Token))
}

// Repeat sends an exchange until it has a final answer. A refusal that is not Vault's is a failure; but what a 404
// means, which says that there is no secret, is up to the caller, who knows what it asked for.
func (c *Client) Repeat(ctx context.Context, e retry.Exchange) (*retry.Answer, *failure.Failure) {
	answer, f := c.retrier.Do(ctx, e)
	if f == nil && answer.Status != http.StatusNotFound {
		f = c.NotVaults(answer)
	}
	if f != nil {
		return nil, f
	}
	return answer, nil
}

// Exchange returns one request to Vault. Its secrets are never printed, even if Vault repeats them.
func (c *Client) Exchange(method, path, version string, body []byte, secrets ...string) retry.Exchange {
	target := escapePath(path)
	if version != "" {
		target += "?version=" + version
	}
	wasSilent := false
	return retry.Exchange{
		Label: method + " " + path,
		Where: c.where,
		Send: func(ctx context.Context) (*retry.Answer, time.Duration, error) {
			answer, wait, err := c.send(ctx, silence(ctx, wasSilent), method, target, body)
			wasSilent = wasSilent || errors.As(err, &errSilent{})
			return answer, wait, err
		},
		Again:    notNow,
		Final:    func(err error) *failure.Failure { return c.finalError(err) },
		Describe: func(a *retry.Answer, err error) string { return Describe(a, err, secrets...) },
		Late: func(reason string) *failure.Failure {
			return failure.Newf(failure.Unavailable, "%s was not available in time (%s): check that it is running and unsealed, check its address, or raise the timeout", c.where, reason)
		},
	}
}

// Once sends a request once. It returns an answer or a connection error, and how long Vault asks to wait.
func (c *Client) Once(ctx context.Context, method, path string, body []byte) (*retry.Answer, time.Duration, error) {
	return c.send(ctx, 0, method, escapePath(path), body)
}

// send sends a request once. The server may be silent for as long as limit; zero: as long as the context allows. If it
// was silent, the next request uses another connection; also if it says that it has no answer now, but not each time.
func (c *Client) send(ctx context.Context, limit time.Duration, method, target string, body []byte) (*retry.Answer, time.Duration, error) {
	where, err := url.Parse(c.address + "/v1/" + target)
	if err != nil {
		return nil, 0, err
	}
	connections := c.lines.take()
	defer c.lines.release(connections)
	attempt := newWatch(ctx, limit, func(to net.Conn) { c.lines.learn(connections, to) })
	defer attempt.stop()
	answer, wait, err := c.follow(attempt, connections, method, where, body)
	if err != nil {
		if silent, ok := attempt.silent(); ok {
			c.lines.leave(connections, attempt.remote)
			return nil, 0, silent
		}
		return nil, 0, err
	}
	if answer.Status == http.StatusTooManyRequests {
		c.lines.limit()
	}
	if elsewhere(answer) {
		c.lines.leaveForNow(connections, attempt.remote)
	}
	return answer, wait, nil
}

// follow sends a request, and again to where it is redirected, as far as that is followed.
func (c *Client) follow(attempt *watch, connections http.RoundTripper, method string, where *url.URL, body []byte) (*retry.Answer, time.Duration, error) {
	first := where
	for hops := 0; ; hops++ {
		response, err := connections.RoundTrip(c.newRequest(attempt.ctx, method, where, body))
		if err != nil {
			return nil, 0, err
		}
		next, follow := redirection(response, first)
		if follow && hops < maxRedirects {
			where = next
			io.CopyN(io.Discard, response.Body, maxRedirectBody) // so that the connection can be used again
			response.Body.Close()
			continue
		}
		return c.answer(attempt, response, next)
	}
}

// answer reads a response. next is where it redirects to, if it does and is not followed.
func (c *Client) answer(attempt *watch, response *http.Response, next *url.URL) (*retry.Answer, time.Duration, error) {
	defer response.Body.Close()
	content, err := io.ReadAll(&bounded{response.Body, maxAnswer, c.allowance, attempt})
	if err != nil {
		return nil, 0, err
	}
	a := &retry.Answer{Status: response.StatusCode, Body: content, HTTP2: response.ProtoMajor == 2}
	if next != nil {
		a.Elsewhere = next.Scheme + "://" + next.Host
	}
	return a, retry.After(response), nil
}

func (c *Client) newRequest(ctx context.Context, method string, where *url.URL, body []byte) *http.Request {
	request, _ := http.NewRequestWithContext(ctx, method, "", bytes.NewReader(body)) // the methods are constants
	request.URL, request.Host = where, where.Host
	// Vault may be configured to refuse requests without it, which a proxy may have been tricked into sending.
	request.Header.Set("X-Vault-Request", "true")
	request.Header.Set("User-Agent", c.userAgent)
	if c.Token != "" {
		request.Header.Set("X-Vault-Token", c.Token)
	}
	if c.namespace != "" {
		request.Header.Set("X-Vault-Namespace", c.namespace)
	}
	if c.unshared {
		request.Header.Set("X-Request-Id", rand.Text())
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

var (
	errTooLong = errors.New("the response is too long")
	errTooMuch = errors.New("the responses together are too long")
)

// bounded reads an answer, and fails once it is longer than allowed.
type bounded struct {
	body      io.Reader
	left      int
	allowance *atomic.Int64 // shared with the other answers
	attempt   *watch
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.attempt.heard()
	}
	if b.left -= n; b.left < 0 {
		return n, errTooLong
	}
	if b.allowance != nil && b.allowance.Add(int64(-n)) < 0 {
		return n, errTooMuch
	}
	return n, err
}

// finalError returns a failure for errors that another attempt would only repeat, else nil.
func (c *Client) finalError(err error) *failure.Failure {
	address := c.address
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var noHost x509.HostnameError
	var alert *net.OpError
	var proxy *proxyError
	switch {
	case errors.As(err, &proxy) && (errors.As(err, &certificate) || errors.As(err, &noHost)):
		return failure.Newf(failure.Unavailable, "the certificate of the proxy is not trusted (%s): check vault.proxyURL and the CA", failure.Shorten(failure.OneLine(proxy.Error()), 120))
	case errors.As(err, &proxy) && errors.As(err, &record):
		return failure.Newf(failure.Unavailable, "the proxy does not speak TLS: write http:// in vault.proxyURL")
	case errors.Is(err, errTooLong):
		return failure.Newf(failure.Protocol, "the response from %s is longer than %d MiB: check that it is a Vault server", address, maxAnswer>>20)
	case errors.Is(err, errTooMuch):
		return failure.Newf(failure.Protocol, "the responses from %s are longer than %d MiB together: check that it is a Vault server, and refer to smaller secrets", address, maxAnswers>>20)
	case errors.As(err, &noHost):
		return failure.Newf(failure.Unavailable, "the certificate of Vault at %s is valid for another name: check the address, or set tls.serverName", address)
	case errors.As(err, &certificate):
		return failure.Newf(failure.Unavailable, "the certificate of Vault at %s is not trusted (%s): check the CA", address, failure.Shorten(failure.OneLine(certificate.Err.Error()), 120))
	case errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate"):
		return failure.Newf(failure.Denied, "Vault at %s rejected the client certificate (%s): check its validity period and its CA, or set one if there is none", address, alert.Err)
	case strings.Contains(err.Error(), tlsAlertForHTTP):
		return c.plainToTLS()
	case errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch):
		return failure.Newf(failure.Unavailable, "%s does not speak TLS: check the scheme and the port", address)
	}
	return nil
}

// tlsAlertForHTTP is in net/http's error if a server that expects TLS answers with an alert record (RFC 8446, section
// 5.1): content type 21, version 3.
const tlsAlertForHTTP = `malformed HTTP response "\x15\x03`

// escapePath escapes a path for a URL, segment by segment: Vault sees "%2e%2e" in a reference exactly as written.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return strings.Join(segments, "/")
}
