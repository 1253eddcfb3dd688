package vault

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// lines are the connections of a client and of its copies. While one generation of connections is in use, it can be
// left for new ones: requests in flight on the old ones go on, and whichever has no request any more is closed.
type lines struct {
	mu    sync.Mutex
	now   *line
	http2 bool // the connections use HTTP/2, as far as is known
	// learned is closed when the first connection has told whether it does; nil if that is known without it.
	learned chan struct{}
	names   *dialer
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
	if l.now != one {
		return
	}
	one.left = true
	fresh := one.Clone()
	fresh.MaxConnsPerHost = maxConnections
	if l.http2 { // the requests that follow may be many at once, each of which would dial
		fresh.MaxConnsPerHost = 1
	}
	l.now = &line{Transport: fresh}
	l.names.failed(remote)
}

// learn takes from the first connection whether it uses HTTP/2. If it does not, requests that follow may use as many as
// after a login: the first one is one of them.
func (l *lines) learn(connection net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	secured, ok := connection.(*tls.Conn)
	if l.learned == nil || !ok {
		return
	}
	l.http2 = secured.ConnectionState().NegotiatedProtocol == "h2"
	if !l.http2 {
		l.now.left = true
		fresh := l.now.Clone()
		fresh.MaxConnsPerHost = maxConnections - 1
		l.now = &line{Transport: fresh}
	}
	close(l.learned)
	l.learned = nil
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
