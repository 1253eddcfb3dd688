package vault_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

const read = "GET secret/data/a"

func TestTemporaryFailuresAreRetried(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"sealed":                 fake.InTurn(fake.Status(503, `{"errors":["Vault is sealed"]}`), fake.Good),
		"internal error, thrice": fake.InTurn(fake.Status(500, `{"errors":["internal error"]}`), fake.Status(500, ""), fake.Status(502, "<html>"), fake.Good),
		"rate limit":             fake.InTurn(fake.Status(429, `{"errors":["rate limit quota exceeded"]}`, "Retry-After", "1"), fake.Good),
		"a date to retry after":  fake.InTurn(fake.Status(503, "", "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), fake.Good),
		"replica behind":         fake.InTurn(fake.Status(412, `{"errors":["required index state not present"]}`), fake.Good),
		"reset":                  fake.InTurn(fake.Reset, fake.Reset, fake.Good),
		"truncated":              fake.InTurn(fake.Truncated, fake.Good),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Handle(read, answer)
			o := resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k")
			o.Want(t, "X=v")
			if !strings.Contains(o.Log, "retrying") {
				t.Errorf("no retry is logged: %s", o.Log)
			}
		})
	}
	t.Run("a login too", func(t *testing.T) {
		server := fake.NewVault(t)
		server.Handle(read, fake.Good)
		server.Handle("POST auth/kubernetes/login", fake.InTurn(fake.Status(503, ""), fake.Reset, server.Login))
		resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").Want(t, "X=v")
	})
}

func TestRetryAfterIsHonored(t *testing.T) {
	server := fake.NewVault(t)
	var first, second time.Time
	server.Handle(read, fake.InTurn(func(w http.ResponseWriter, r *http.Request) {
		first = time.Now()
		fake.Status(429, "", "Retry-After", "1")(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		second = time.Now()
		fake.Good(w, r)
	}))
	resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").Want(t, "X=v")
	if waited := second.Sub(first); waited < time.Second {
		t.Errorf("tried again after %s; a second was asked for", waited)
	}
}

func TestFailuresThatLastUntilTheTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		says   string
	}{
		"sealed":                {fake.Status(503, `{"errors":["Vault is sealed"]}`), "503 Service Unavailable: Vault is sealed"},
		"bad gateway":           {fake.Status(502, "<html>hunter2</html>"), "502 Bad Gateway, an HTML page, not from Vault"},
		"resets":                {fake.Reset, "in time ("},
		"truncations":           {fake.Truncated, "in time ("},
		"retry much later":      {fake.Status(429, "", "Retry-After", "3600"), "429 Too Many Requests"},
		"a redirect elsewhere":  {fake.Status(307, "", "Location", "https://hunter2@elsewhere.invalid/v1/secret/data/a?token=hunter2"), "307, a redirect to https://elsewhere.invalid, which is not followed"},
		"a redirect out of TLS": {fake.Status(307, "", "Location", "http://127.0.0.1:1/v1/secret/data/a"), "307, a redirect to http://127.0.0.1:1, which is not followed"},
		"a redirect loop":       {fake.Status(307, "", "Location", "/v1/secret/data/a"), "307, a redirect to https://127.0.0.1:"},
		"no answer":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Handle(read, c.answer)
			s := resolvetest.Settings(t, server)
			s.Vault.Timeout = 3 * time.Second
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "X: Vault at "+server.URL, c.says)
		})
	}
}

func TestAnswersThatAreNotVaults(t *testing.T) {
	huge := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"data":{"k":"`)
		chunk := strings.Repeat("x", 1<<16)
		for range vault.MaxAnswer>>16 + 1 {
			io.WriteString(w, chunk)
		}
		io.WriteString(w, `"}}`)
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"a page":                    fake.Status(200, "<html>welcome hunter2</html>"),
		"nothing":                   fake.Status(200, ""),
		"null":                      fake.Status(200, "null"),
		"a list":                    fake.Status(200, `[1]`),
		"a text":                    fake.Status(200, `"hunter2"`),
		"half of an answer":         fake.Status(200, `{"data":{"k":"hunter2"`),
		"two answers":               fake.Status(200, `{"data":{"k":"v"}}{"data":{"k":"w"}}`),
		"data that is a list":       fake.Status(200, `{"data":["hunter2"]}`),
		"data that is a text":       fake.Status(200, `{"data":"hunter2"}`),
		"no data":                   fake.Status(200, `{"auth":null}`),
		"data that is null":         fake.Status(200, `{"data":null}`),
		"deep nesting":              fake.Status(200, `{"data":{"k":`+strings.Repeat(`[`, 20000)+strings.Repeat(`]`, 20000)+`}}`),
		"too long":                  huge,
		"a redirect without target": fake.Status(302, ""),
		"a redirect to no URL":      fake.Status(302, "", "Location", "https://hunter2:%zz/"),
		"a redirect to no server":   fake.Status(302, "", "Location", "mailto:hunter2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Handle(read, answer)
			resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").WantFailure(t, failure.Protocol, "X: ")
		})
	}
}

func TestAnswersThatAreTooLongTogether(t *testing.T) {
	server := fake.NewVault(t)
	long := strings.Repeat("x", vault.MaxAnswer-1000)
	var env []string
	for i := range vault.MaxAnswers/vault.MaxAnswer + 2 {
		path := fmt.Sprint("kv/", i)
		server.KV1(path, `{"k":"v","long":"`+long+`"}`)
		env = append(env, fmt.Sprintf("X%d=vault:%s#k", i, path))
	}
	resolvetest.Resolve(t, resolvetest.Settings(t, server), env...).WantFailure(t, failure.Protocol, "longer than 32 MiB together")
	resolvetest.Resolve(t, resolvetest.Settings(t, server), env[:2]...).Want(t, "X0=v", "X1=v")
}

func TestRedirectOnTheSameHostIsFollowed(t *testing.T) {
	server := fake.NewVault(t)
	server.Handle(read, fake.Status(307, "", "Location", "/v1/secret/data/b"))
	server.Handle("GET secret/data/b", fake.Good)
	server.Handle("POST auth/kubernetes/login", fake.Status(307, "", "Location", "/v1/auth/jwt/login"))
	resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").Want(t, "X=v")
}

func TestTheTokenIsNotSentElsewhere(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer other.Close()
	server := fake.NewVault(t)
	server.Handle(read, fake.Status(307, "", "Location", strings.Replace(other.URL, "127.0.0.1", "localhost", 1)))
	server.Handle("POST auth/jwt/login", fake.Status(307, "", "Location", other.URL))
	s := resolvetest.Settings(t, server)
	s.Vault.Timeout = 4 * time.Second
	// It may be a standby, which redirects to the leader while it cannot forward: it is tried again until the timeout.
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "307, a redirect to http://localhost:")
	s.Login.Mount = "jwt"
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "307, a redirect to "+other.URL)
	if asked.Load() {
		t.Error("the redirect was followed")
	}
}

func TestTLS(t *testing.T) {
	server := fake.NewVault(t)
	server.Handle(read, fake.Good)
	plain := httptest.NewServer(server)
	defer plain.Close()
	old := httptest.NewUnstartedServer(server)
	old.StartTLS()
	defer old.Close()
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(server.CaPEM()), 0o600)
	os.Mkdir(filepath.Join(dir, "..data"), 0o700)

	for name, change := range map[string]func(*vault.Connection){
		"a CA inline":         func(v *vault.Connection) {},
		"a CA file":           func(v *vault.Connection) { v.CAPEM = ""; v.CAFile = fake.File(t, "ca", server.CaPEM()) },
		"a CA after text":     func(v *vault.Connection) { v.CAPEM = "\ufeffours: " + server.CaPEM() },
		"a CA in one line":    func(v *vault.Connection) { v.CAPEM = strings.ReplaceAll(server.CaPEM(), "\n", " ") },
		"a CA directory":      func(v *vault.Connection) { v.CAPEM = ""; v.CADir = dir },
		"another server name": func(v *vault.Connection) { v.ServerName = "example.com" },
		"no verification":     func(v *vault.Connection) { v.CAPEM = ""; v.SkipVerify = true },
		"no TLS at all":       func(v *vault.Connection) { v.Address = plain.URL },
		"HTTP/1.1":            func(v *vault.Connection) { v.Address = old.URL },
	} {
		t.Run(name, func(t *testing.T) {
			s := resolvetest.Settings(t, server)
			change(&s.Vault)
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
		})
	}
	for name, c := range map[string]struct {
		change func(*vault.Connection)
		status int
		says   string
	}{
		"no CA":                           {func(v *vault.Connection) { v.CAPEM = "" }, failure.Unavailable, "not trusted"},
		"a name that does not match":      {func(v *vault.Connection) { v.ServerName = "vault.example" }, failure.Unavailable, "is valid for another name"},
		"TLS where there is none":         {func(v *vault.Connection) { v.Address = strings.Replace(plain.URL, "http:", "https:", 1) }, failure.Unavailable, "does not speak TLS"},
		"a missing CA file":               {func(v *vault.Connection) { v.CAFile = "/nonexistent" }, failure.Settings, "the CA file /nonexistent cannot be read"},
		"a CA file without certificate":   {func(v *vault.Connection) { v.CAFile = fake.File(t, "ca", "hello") }, failure.Settings, "contains no certificate"},
		"a CA bundle without certificate": {func(v *vault.Connection) { v.CAPEM = "hello" }, failure.Settings, "contains no certificate"},
		"a missing CA directory":          {func(v *vault.Connection) { v.CADir = "/nonexistent" }, failure.Settings, "the CA directory"},
		"a missing client certificate":    {func(v *vault.Connection) { v.CertFile, v.KeyFile = "/nonexistent", "/nonexistent" }, failure.Settings, "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s := resolvetest.Settings(t, server)
			c.change(&s.Vault)
			resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, c.status, c.says)
		})
	}
}

func TestWithoutHTTP2ManyPathsShareFewConnections(t *testing.T) {
	server := fake.NewVault(t)
	plain := httptest.NewServer(server)
	defer plain.Close()
	var env, want []string
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		server.KV1("kv/"+c, `{"k":"`+c+`"}`)
		env, want = append(env, c+"=vault:kv/"+c+"#k"), append(want, c+"="+c)
	}
	s := resolvetest.Settings(t, server)
	s.Vault.Address = plain.URL
	resolvetest.Resolve(t, s, env...).Want(t, want...)
	if n := len(server.Conns); n > vault.MaxConnections {
		t.Errorf("%d connections; want at most %d", n, vault.MaxConnections)
	}
}

// The first connection tells that there is no HTTP/2; then there are as many as after a login.
func TestAGivenTokenWithoutHTTP2(t *testing.T) {
	server := fake.NewVault(t)
	var arrived atomic.Int32
	all := make(chan struct{}) // as many as there may be connections have arrived
	old := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) == vault.MaxConnections {
			close(all)
		}
		select {
		case <-all:
			server.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	defer old.Close()
	var env, want []string
	for i := range 50 {
		path := fmt.Sprintf("kv/%02d", i)
		server.KV1(path, `{"k":"v"}`)
		env, want = append(env, fmt.Sprintf("A%02d=vault:%s#k", i, path)), append(want, fmt.Sprintf("A%02d=v", i))
	}
	s := resolvetest.Settings(t, server)
	s.Vault.Address, s.Login.Token, s.Vault.Timeout = old.URL, fake.Token, 30*time.Second
	resolvetest.Resolve(t, s, env...).Want(t, want...)
	if len(server.Conns) != vault.MaxConnections || server.Protos["HTTP/2.0"] {
		t.Errorf("%d connections, protocols %v; want %d", len(server.Conns), server.Protos, vault.MaxConnections)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	server := fake.NewVault(t)
	old := httptest.NewUnstartedServer(server)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	s := resolvetest.Settings(t, server)
	s.Vault.Address, s.Vault.Timeout = old.URL, 2*time.Second
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "tls: ")
	if len(server.Seen()) > 0 {
		t.Error("the token was sent all the same")
	}
}

func TestVaultThatComesUpLate(t *testing.T) {
	server := fake.NewVault(t)
	server.Handle(read, fake.Good)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	late := &http.Server{Handler: server}
	defer late.Close()
	go func() {
		time.Sleep(300 * time.Millisecond)
		if l, err := net.Listen("tcp", address); err == nil {
			late.Serve(l)
		}
	}()
	s := resolvetest.Settings(t, server)
	s.Vault.Address = "http://" + address
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
}

func TestVaultUnreachable(t *testing.T) {
	t.Parallel()
	s := resolvetest.Defaults(t)
	s.Vault.Address = "https://127.0.0.1:1"
	s.Login.JWTFile = fake.File(t, "jwt", fake.JWT)
	s.Vault.Timeout = 2 * time.Second
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "https://127.0.0.1:1", "connection refused")
	s.Vault.Address = "https://vault.invalid:8200"
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").WantFailure(t, failure.Unavailable, "vault.invalid")
}

func TestNamespace(t *testing.T) {
	server := fake.NewVault(t)
	var seen atomic.Int64
	with := func(next func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Vault-Namespace") == "team/a" {
				seen.Add(1)
			}
			next(w, r)
		}
	}
	server.Handle(read, with(fake.Good))
	server.Handle("POST auth/kubernetes/login", with(server.Login))
	s := resolvetest.Settings(t, server)
	s.Vault.Namespace = "team/a"
	resolvetest.Resolve(t, s, "X=vault:secret/data/a#k").Want(t, "X=v")
	if seen.Load() != 2 {
		t.Errorf("%d of 2 requests named the namespace", seen.Load())
	}
}

func TestAFailureEndsTheOtherReads(t *testing.T) {
	server := fake.NewVault(t)
	server.Says("GET secret/data/sealed", 503, "")
	s := resolvetest.Settings(t, server)
	s.Vault.Timeout = time.Hour
	resolvetest.Resolve(t, s, "A=vault:secret/data/sealed#k", "B=vault:secret/data/absent#k").WantFailure(t, failure.Missing, "B: ", "secret/data/absent")
}
