package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/vault"
)

// maxCloudAnswer is far larger than any token and any description of an instance.
const maxCloudAnswer = 256 << 10

// cloud sends requests to the services that identify a workload. There are two kinds. The local ones (metadata
// services, agents on the node) use plain HTTP, and trust anyone who can reach them: requests to them bypass proxies,
// and only go to addresses of the machine. The others are on the internet, and use TLS.
//
// Neither shares Vault's connection, which trusts the CA of the policy: these trust the system's CAs.
type cloud struct {
	retrier     retry.Retrier
	log         *logging.Logger // also for its clock
	userAgent   string
	environment environment.Variables
	follows     bool          // services at addresses that only the environment names
	attempt     time.Duration // timeout of one request, which leaves time for another
	local       *http.Client
	public      *http.Client
}

// outside is how the clouds' services are reached. Tests replace it to reach fakes at the real addresses and names.
type outside struct {
	dial  func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)
	roots *x509.CertPool // nil: the system's
}

func directly(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
	return d.DialContext(ctx, network, address)
}

func (a *applicant) newCloud() (*cloud, *failure.Failure) {
	// A request that hangs (a metadata service from which no packet returns) leaves time for another attempt.
	attempt := max(a.connection.Timeout/3, time.Second)
	dialer := func(control func(network, address string, c syscall.RawConn) error) func(context.Context, string, string) (net.Conn, error) {
		d := &net.Dialer{Timeout: attempt, Control: control}
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			return a.outside.dial(ctx, d, network, address)
		}
	}
	local := &http.Transport{DialContext: dialer(onlyLocal), DisableCompression: true}
	public := &http.Transport{
		DialContext:         dialer(nil),
		TLSHandshakeTimeout: attempt,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.outside.roots},
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
	}
	if f := a.connection.UseProxy(public); f != nil {
		return nil, f
	}
	return &cloud{
		retrier:     retry.New(a.log),
		log:         a.log,
		userAgent:   a.connection.UserAgent,
		environment: a.Environment,
		follows:     a.connection.FollowsEnvironment,
		attempt:     attempt,
		local:       &http.Client{Transport: local, CheckRedirect: noRedirect},
		public:      &http.Client{Transport: public, CheckRedirect: noRedirect},
	}, nil
}

func (k *cloud) close() {
	k.local.CloseIdleConnections()
	k.public.CloseIdleConnections()
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

var errNotLocal = errors.New("the address is not local")

// onlyLocal rejects addresses that are not local. It sees the address right before the connection, so no DNS name can
// lead elsewhere.
func onlyLocal(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err == nil && isLocal(at.Addr().Unmap()) {
		return nil
	}
	return errNotLocal
}

// isLocal returns whether an address belongs to the machine, or to a cloud service on it. The AWS SDKs send a
// container's authorization token to the first four kinds only.
func isLocal(ip netip.Addr) bool {
	switch ip.WithZone("").String() {
	case "169.254.170.2", // ECS
		"169.254.170.23", "fd00:ec2::23", // EKS Pod Identity
		"169.254.169.254",               // metadata of EC2, Google Cloud and Azure
		"fd00:ec2::254", "fd20:ce::254": // EC2, Google Cloud
		return true
	}
	return ip.IsLoopback()
}

// lookup returns a variable of the container, or an empty string if it refers to Vault.
func (k *cloud) lookup(name string) string {
	value, _ := k.environment.Lookup(name)
	return unlessReference(name, strings.TrimSpace(value))
}

// cloudRequest is one request to a service of a cloud.
type cloudRequest struct {
	name    string // of the service, for messages
	method  string // empty: GET
	url     string // contains nothing secret
	local   bool
	header  [][2]string
	body    string
	secrets []string                 // in header and body: never printed, even if the service repeats them
	again   func(*retry.Answer) bool // in addition to 429 and 5xx
	said    func([]byte) string      // returns the message in the body of an error
	missing string                   // what to do if it does not answer
	refused string                   // what to do if it refuses
}

// ask sends the request, and returns the body of an answer with status 200.
func (k *cloud) ask(ctx context.Context, r cloudRequest) ([]byte, *failure.Failure) {
	if r.method == "" {
		r.method = http.MethodGet
	}
	a, f := k.retrier.Do(ctx, retry.Exchange{
		Label:    r.name,
		Where:    r.name,
		Send:     func(ctx context.Context) (*retry.Answer, time.Duration, error) { return k.once(ctx, &r) },
		Again:    func(a *retry.Answer) bool { return retry.Worth(a.Status) || r.again != nil && r.again(a) },
		Final:    func(err error) *failure.Failure { return r.final(err, k.follows) },
		Describe: func(a *retry.Answer, err error) string { return r.describe(a, err) },
		Late: func(reason string) *failure.Failure {
			return failure.Newf(failure.Unavailable, "%s was not available in time (%s): %s", r.name, reason, r.missing)
		},
	})
	if f != nil {
		return nil, f
	}
	if a.Status != http.StatusOK {
		return nil, failure.Newf(failure.Denied, "%s refused the request (%s): %s", r.name, r.describe(a, nil), r.refused)
	}
	return a.Body, nil
}

func (r *cloudRequest) describe(a *retry.Answer, err error) string {
	if err != nil || r.said == nil {
		return vault.Describe(a, err)
	}
	return retry.StatusText(a.Status, retry.Quoted(r.said(a.Body), r.secrets...))
}

// once sends the request once, within the timeout of one attempt.
func (k *cloud) once(ctx context.Context, r *cloudRequest) (*retry.Answer, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, k.attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return nil, 0, errNotURL
	}
	request.Header.Set("User-Agent", k.userAgent)
	for _, field := range r.header {
		request.Header.Set(field[0], field[1])
	}
	sender := k.public
	if r.local {
		sender = k.local
	}
	response, err := sender.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxCloudAnswer+1))
	if err != nil {
		return nil, 0, err
	}
	if len(content) > maxCloudAnswer {
		return nil, 0, errNotShort
	}
	return &retry.Answer{Status: response.StatusCode, Body: content}, retry.After(response), nil
}

var (
	errNotURL   = errors.New("not a URL")
	errNotShort = errors.New("the response is too long")
)

// final returns a failure for errors that another attempt would only repeat.
func (r *cloudRequest) final(err error, follows bool) *failure.Failure {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errNotLocal):
		return failure.Newf(failure.Settings, "the address of %s is not local to this machine: only loopback and the clouds' metadata addresses are allowed without TLS", r.name)
	case errors.Is(err, errNotURL):
		return failure.Newf(failure.Settings, "the address of %s is not a URL: check the variable that sets it", r.name)
	case errors.Is(err, errNotShort):
		return r.malformed()
	case errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch):
		return failure.Newf(failure.Unavailable, "%s does not speak TLS: check what responds at its address", r.name)
	case errors.As(err, &certificate):
		or := ""
		if follows {
			or = ", or name a file in SSL_CERT_FILE"
		}
		return failure.Newf(failure.Unavailable, "the certificate of %s is not trusted: add CA certificates to the image (/etc/ssl/certs)%s", r.name, or)
	}
	return nil
}

func (r *cloudRequest) malformed() *failure.Failure {
	return failure.Newf(failure.Protocol, "the response from %s is malformed: check what responds at its address", r.name)
}

// askJSON sends the request, and decodes the JSON object in the answer into fields.
func (k *cloud) askJSON(ctx context.Context, r cloudRequest, fields any) *failure.Failure {
	body, f := k.ask(ctx, r)
	if f != nil {
		return f
	}
	if json.Unmarshal(body, fields) != nil {
		return r.malformed()
	}
	return nil
}

// askText sends the request, and returns the line of text in the answer.
func (k *cloud) askText(ctx context.Context, r cloudRequest) (string, *failure.Failure) {
	body, f := k.ask(ctx, r)
	if f != nil {
		return "", f
	}
	text := strings.TrimSpace(string(body))
	if text == "" || failure.OneLine(text) != text {
		return "", r.malformed()
	}
	return text, nil
}
