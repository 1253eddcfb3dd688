package vault

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// Connection is where a Vault is, and how to reach it.
type Connection struct {
	Address    string // scheme, host, optional path; no trailing slash. Or unix://PATH, a socket
	Namespace  string
	Timeout    time.Duration // for login, reads and retries together
	ProxyURL   string        // scheme, host and port; empty: no proxy
	CAPEM      string
	CAFile     string
	CADir      string
	ServerName string
	CertFile   string
	KeyFile    string
	SkipVerify bool
	UserAgent  string
	// FollowsEnvironment is true if the settings are variables: then others of the container count as well, which say
	// what proxy to use and where the services of a cloud are.
	FollowsEnvironment bool
	// Attempts is how often a request is sent at most; 0: as often as the timeout allows.
	Attempts int
}

// socketScheme is that of the address of a Unix socket, as Vault's own client reads it: the listener of an agent or proxy.
const socketScheme = "unix://"

// useSocket makes a transport connect to the Unix socket in the address, if it is one. It returns the address for URLs.
func (v *Connection) useSocket(t *http.Transport) string {
	socket, is := strings.CutPrefix(v.Address, socketScheme)
	if !is {
		return v.Address
	}
	var d net.Dialer
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) }
	t.Proxy = nil
	return "http://localhost"
}
