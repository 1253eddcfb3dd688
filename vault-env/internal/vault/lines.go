package vault

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// How often an address whose servers have no answer now is left. It is as long as the longest pause between attempts: if
// each of them used a new connection, a Vault that recovers would be busy with handshakes.
const leaveAgain = 2 * time.Second

// How long after the last answer 429 a client takes Vault's rate limit to be in force.
const limitLasts = 5 * time.Second

// lines are the connections of a client and of its copies. While one generation of connections is in use, it can be
// left for new ones: requests in flight on the old ones go on, and whichever has no request any more is closed.
type lines struct {
	mu    sync.Mutex
	now   *line
	http2 bool // the connections use HTTP/2, as far as is known
	// learned is closed when the first connection has told whether it does; nil if that is known without it.
	learned chan struct{}
	names   *dialer
	clock   func() time.Time
	refused map[string]time.Time // when an address was left because it had no answer
	limited time.Time            // when a request was last above Vault's rate limit
}

// line is one generation of connections.
type line struct {
	*http.Transport
	requests int // in flight
	left     bool
}

// take returns the current connections, for one request. Give them back with release.
func (l *lines) take() *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.requests++
	return l.now
}

func (l *lines) release(one *line) {
	l.mu.Lock()
	one.requests--
	closing := one.left && one.requests == 0
	l.mu.Unlock()
	if closing {
		one.CloseIdleConnections()
	}
}

// leave makes the following requests use new connections, if they still use these. remote is the address at the other
// end: the new connections go to another address of the same name, if there is one.
func (l *lines) leave(one *line, remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(one, remote)
}

// leaveForNow is leave for connections that work, to a server that has no answer now. An address is left at most once
// within leaveAgain.
func (l *lines) leaveForNow(one *line, remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	if before, ok := l.refused[remote]; l.now != one || ok && now.Sub(before) < leaveAgain {
		return
	}
	l.refused[remote] = now
	l.leaveLocked(one, remote)
}

// limit notes that a request was above Vault's rate limit.
func (l *lines) limit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limited = l.clock()
}

// atLimit returns whether a request was above Vault's rate limit lately.
func (l *lines) atLimit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.limited.IsZero() && l.clock().Sub(l.limited) < limitLasts
}

func (l *lines) leaveLocked(one *line, remote string) {
	if l.now != one {
		return
	}
	limit := maxConnections
	if l.http2 { // the requests that follow may be many at once, each of which would dial
		limit = 1
	}
	l.renew(limit)
	l.names.failed(remote)
}

// renew begins a generation of at most so many connections.
func (l *lines) renew(limit int) {
	l.now.left = true
	fresh := l.now.Clone()
	fresh.MaxConnsPerHost = limit
	l.now = &line{Transport: fresh}
}

// learn takes from a connection of a generation that is limited to one whether it uses HTTP/2. If it does not, requests
// that follow may use as many as after a login: this one is one of them.
func (l *lines) learn(one *line, connection net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	secured, ok := connection.(*tls.Conn)
	if !ok || l.now != one || one.MaxConnsPerHost != 1 {
		return
	}
	l.http2 = secured.ConnectionState().NegotiatedProtocol == "h2"
	if !l.http2 {
		l.renew(maxConnections - 1)
	}
	if l.learned != nil {
		close(l.learned)
		l.learned = nil
	}
}

// unlearned returns a channel that is closed when it is known whether the connections use HTTP/2; nil if it is known.
func (l *lines) unlearned() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.learned
}

func (l *lines) speaksHTTP2(does bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.http2 = does
}

func (l *lines) areHTTP2() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.http2
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.CloseIdleConnections()
}
