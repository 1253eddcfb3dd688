package fake

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// faultProxy is a proxy in front of a Vault that injects faults into the answers to one kind of request.
type faultProxy struct {
	*httptest.Server
	mu    sync.Mutex
	stage string
	spoil func(w http.ResponseWriter, r *http.Request, next http.Handler)
	times int // how many more times; negative: always
}

const (
	once   = 1
	always = -1
)

// NewFaultProxy returns a proxy that injects a fault into the answers at one stage, a number of times.
func NewFaultProxy(t *testing.T, http2 bool, vault http.Handler, stage string, spoil func(http.ResponseWriter, *http.Request, http.Handler), times int) *faultProxy {
	p := &faultProxy{stage: stage, spoil: spoil, times: times}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		hit := stageOf(r) == p.stage && p.times != 0
		if hit {
			p.times--
		}
		p.mu.Unlock()
		if hit {
			p.spoil(w, r, vault)
			return
		}
		vault.ServeHTTP(w, r)
	}))
	p.Config.ErrorLog = Quiet
	if p.EnableHTTP2 = http2; http2 {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func stageOf(r *http.Request) string {
	switch path := strings.TrimPrefix(r.URL.Path, "/v1/"); {
	case strings.HasSuffix(path, "/login"):
		return "login"
	case path == "auth/token/lookup-self":
		return "lookup"
	case path == "auth/token/revoke-self":
		return "revoke"
	case strings.HasPrefix(path, "transit/"):
		return "transit"
	case r.Method == http.MethodPut:
		return "write"
	}
	return "read"
}

// fault is one kind of faulty answer. heals is true if another attempt is made. status is the start's exit status if
// every attempt fails: zero if the start succeeds despite the fault.
type fault struct {
	name   string
	Spoil  func(w http.ResponseWriter, r *http.Request, next http.Handler)
	heals  bool
	status int
	http1  bool // net/http's server cannot do it with HTTP/2
}

func instead(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { answer(w, r) }
}

// withLength sends the answer with a Content-Length that is a number of bytes off, and then closes the connection, or
// not.
func withLength(off int, hangUp bool) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		body := recorder.Body.Bytes()
		hijacker, ok := w.(http.Hijacker)
		if !ok {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+off))
			w.WriteHeader(recorder.Code)
			w.Write(body)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		conn, _, err := hijacker.Hijack()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s", recorder.Code, len(body)+off, body)
		if hangUp {
			conn.Close()
			return
		}
		io.Copy(io.Discard, conn) // until the client gives up
	}
}

// half sends half an answer, then a reset.
func half(w http.ResponseWriter, r *http.Request, next http.Handler) {
	recorder := httptest.NewRecorder()
	next.ServeHTTP(recorder, r)
	w.WriteHeader(recorder.Code)
	w.Write(recorder.Body.Bytes()[:recorder.Body.Len()/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// hardReset makes the kernel send a reset, if the request has a connection of its own.
func hardReset(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// A standby that cannot forward a request redirects to the leader.
const otherHost = "https://vault-1.invalid:8200/v1/hunter2"

var faults = []fault{
	{"a delay", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		time.Sleep(100 * time.Millisecond)
		next.ServeHTTP(w, r)
	}, true, 0, false},
	{"no answer", instead(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // otherwise the server would not notice that the client is gone
		<-r.Context().Done()
	}), true, failure.Unavailable, false},
	{"a reset", hardReset, true, failure.Unavailable, false},
	{"half an answer", half, true, failure.Unavailable, false},
	{"429", instead(Status(429, `{"errors":["request path \"x\": rate limit quota exceeded"]}`, "Retry-After", "0")), true, failure.Unavailable, false},
	{"408", instead(Status(408, ``)), true, failure.Unavailable, false},
	{"412", instead(Status(412, `{"errors":["required index state not present"]}`)), true, failure.Unavailable, false},
	{"425", instead(Status(425, `too early`)), true, failure.Unavailable, false},
	{"472", instead(Status(472, ``)), true, failure.Unavailable, false},
	{"473", instead(Status(473, `{"errors":["standby"]}`)), true, failure.Unavailable, false},
	{"301", instead(Status(301, ``, "Location", otherHost)), true, failure.Unavailable, false},
	{"302", instead(Status(302, ``, "Location", otherHost)), true, failure.Unavailable, false},
	{"303", instead(Status(303, ``, "Location", otherHost)), true, failure.Unavailable, false},
	{"307", instead(Status(307, ``, "Location", otherHost)), true, failure.Unavailable, false},
	{"308", instead(Status(308, ``, "Location", otherHost)), true, failure.Unavailable, false},
	{"500", instead(Status(500, `{"errors":["internal error"]}`)), true, failure.Unavailable, false},
	{"502", instead(Status(502, `<html>hunter2</html>`)), true, failure.Unavailable, false},
	{"503", instead(Status(503, ``)), true, failure.Unavailable, false},
	{"sealed", instead(Status(503, `{"errors":["Vault is sealed"]}`)), true, failure.Unavailable, false},
	{"a length too long", withLength(+100, true), true, failure.Unavailable, false},
	{"a length too long, and silence", withLength(+100, false), true, failure.Unavailable, true},
	{"a length too short", withLength(-10, true), false, failure.Protocol, true},
	{"a length too short, and more to come", withLength(-10, false), false, failure.Protocol, true},
}

var stages = []string{"login", "read", "transit", "write", "lookup", "revoke"}

// FaultCase is one fault at one stage, once or always, and the expected end of the start.
type FaultCase struct {
	fault
	Stage string
	Times int
	HTTP2 bool
}

// String returns the name of the case.
func (c FaultCase) String() string {
	return fmt.Sprintf("%s at %s, %s, HTTP/2 %v", c.name, c.Stage, map[int]string{once: "once", always: "always"}[c.Times], c.HTTP2)
}

// Want returns the expected exit status.
func (c FaultCase) Want() int {
	switch {
	case c.Stage == "lookup" || c.Stage == "revoke" || c.Times == once && c.heals:
		return 0
	case c.Stage == "login" && c.name == "500": // Vault also answers 500 to a token that it refuses
		return failure.Denied
	}
	return c.status
}

// LeavesToken returns whether the token is not revoked because of the fault, although the program is started.
func (c FaultCase) LeavesToken() bool {
	return (c.Stage == "lookup" || c.Stage == "revoke") && c.name != "a delay" && (c.Times == always || !c.heals)
}

// Timeout returns a short timeout if the start is expected to time out, and a long one if it must not, even on a slow
// machine.
func (c FaultCase) Timeout() time.Duration {
	switch c.Want() {
	case failure.Unavailable:
		return time.Second
	case failure.Denied: // also at the timeout, but after an answer
		return 8 * time.Second
	}
	return 20 * time.Second
}

// FaultCases returns every fault at every stage.
func FaultCases() []FaultCase {
	var all []FaultCase
	for _, stage := range stages {
		for _, fault := range faults {
			for _, times := range []int{once, always} {
				for _, http2 := range []bool{false, true} {
					if !http2 || !fault.http1 {
						all = append(all, FaultCase{fault, stage, times, http2})
					}
				}
			}
		}
	}
	return all
}
