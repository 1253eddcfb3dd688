package login

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/failuretest"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/vault"
)

// loggedIn is the result of a login.
type loggedIn struct {
	token   string
	failure *failure.Failure
	said    string // log and failure
}

// loginFrom logs in from a cloud. It fails the test if the log or the failure contains a canary.
func loginFrom(f *fake.Cloud, server *fake.Vault, env environment.Variables, change func(*applicant)) loggedIn {
	f.T.Helper()
	v := &vault.Connection{Address: server.URL, CAPEM: server.CaPEM(), Timeout: 5 * time.Second, FollowsEnvironment: true}
	var b bytes.Buffer
	log := &logging.Logger{Out: &b, Level: logging.Debug, Now: time.Now}
	a := &applicant{&Settings{Role: fake.Role, Environment: env}, v, nil, log, outside{f.Dial, f.Roots()}}
	change(a)
	var failed *failure.Failure
	if a.client, failed = vault.NewClient(v, false, log); failed != nil {
		f.T.Fatal(failed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), v.Timeout)
	defer cancel()
	var l loggedIn
	token, failed := a.login(ctx)
	if l.failure = failed; failed == nil {
		l.token = token.Value
	} else {
		b.WriteString(failed.Message)
	}
	l.said = b.String()
	if strings.Contains(l.said, "canary") || strings.Contains(l.said, "eyJ") { // as every JWT begins
		f.T.Errorf("a credential is printed: %s", l.said)
	}
	return l
}

func (l loggedIn) wantToken(t *testing.T) {
	t.Helper()
	if l.failure != nil || l.token != fake.Token {
		t.Errorf("%q, %v; want the token", l.token, l.failure)
	}
}

func (l loggedIn) wantFailure(t *testing.T, status int, parts ...string) {
	t.Helper()
	failuretest.Want(t, l.failure, status, parts...)
}

// trouble is what can go wrong with every service, and the expected failure.
var trouble = []struct {
	name   string
	answer http.HandlerFunc
	status int
	says   string
}{
	{"denied", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) }, failure.Denied, " refused the request (403"},
	{"not authorized", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }, failure.Denied, " refused the request (401"},
	{"a redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	}, failure.Denied, " refused the request (302"},
	{"empty", func(w http.ResponseWriter, r *http.Request) {}, failure.Protocol, " is malformed"},
	{"something else", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>\n<body>\nhello\n") }, failure.Protocol, " is malformed"},
	{"an empty object", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{\n}") }, failure.Protocol, " is malformed"},
	{"endless", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, maxCloudAnswer+1)) }, failure.Protocol, " is malformed"},
	{"cut off", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "{")
	}, failure.Unavailable, " was not available in time (unexpected EOF)"},
	{"busy", notNow(http.StatusTooManyRequests), failure.Unavailable, " was not available in time (429"},
	{"broken", notNow(http.StatusInternalServerError), failure.Unavailable, " was not available in time (500"},
	{"starting", notNow(http.StatusServiceUnavailable), failure.Unavailable, " was not available in time (503"},
	{"silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, failure.Unavailable, " was not available in time (timeout)"},
}

// notNow asks to wait for longer than the timeout, so that no test has to wait.
func notNow(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(status)
	}
}

// testTrouble replaces a service with each kind of trouble and logs in; nil means a service that starts late.
func testTrouble(t *testing.T, called string, login func(t *testing.T, broken http.HandlerFunc, timeout time.Duration) loggedIn) {
	for _, c := range trouble {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			switch c.name { // these retry until no time is left
			case "cut off":
				timeout = time.Second
			case "silent":
				timeout = 200 * time.Millisecond
			}
			login(t, c.answer, timeout).wantFailure(t, c.status, called, c.says)
		})
	}
	t.Run("available after a while", func(t *testing.T) {
		t.Parallel()
		login(t, nil, 10*time.Second).wantToken(t)
	})
}
