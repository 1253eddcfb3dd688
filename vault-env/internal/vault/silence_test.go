package vault_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

// muted is a server some of whose connections never say a word, once they are open.
type muted struct {
	*httptest.Server
	mu    sync.Mutex
	mutes map[string]bool     // by the client's address
	asked map[string][]string // paths, by the client's address
}

// mute answers nothing until the client is gone, which net/http's server notices only once it has read the request.
func mute(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// muteFirst returns a server in front of another. Its first connection is silent from the first request for a path on.
func muteFirst(t *testing.T, http2 bool, path string, next http.Handler) *muted {
	m := &muted{mutes: map[string]bool{}, asked: map[string][]string{}}
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked[r.RemoteAddr] = append(m.asked[r.RemoteAddr], r.URL.Path)
		if r.URL.Path == path && len(m.mutes) == 0 {
			m.mutes[r.RemoteAddr] = true
		}
		silent := m.mutes[r.RemoteAddr]
		m.mu.Unlock()
		if silent {
			mute(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}))
	m.EnableHTTP2 = http2
	m.Config.ErrorLog = fake.Quiet
	m.StartTLS()
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

// One silent connection costs a part of the timeout: every request that was on it is sent again, on another one.
func TestASilentConnectionIsLeft(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		for _, path := range []string{"/v1/auth/kubernetes/login", "/v1/kv/a", "/v1/kv/g"} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", path, http2), func(t *testing.T) {
				t.Parallel()
				server := fake.NewVault(t)
				var env, want []string
				for _, c := range strings.Split("abcdefghijklmnop", "") {
					server.KV1("kv/"+c, `{"k":"`+c+`"}`)
					env, want = append(env, c+"=vault:kv/"+c+"#k"), append(want, c+"="+c)
				}
				front := muteFirst(t, http2, path, server)
				s := resolvetest.Settings(t, server)
				// With the default timeout, a silence of 2.5 s is found out.
				s.Vault.Address, s.Vault.CAPEM, s.Vault.Timeout = front.URL, fake.PEMOf(front.Server), 10*time.Second
				o := resolvetest.Resolve(t, s, env...)
				o.Want(t, want...)
				front.mu.Lock()
				defer front.mu.Unlock()
				if len(front.asked) < 2 {
					t.Errorf("%d connections; want another one", len(front.asked))
				}
				if !strings.Contains(o.Log, "no response within ") {
					t.Errorf("log %s", o.Log)
				}
			})
		}
	}
}

// addresses is a Vault behind a name with two addresses, where the first one has a fault.
func addresses(t *testing.T, first func(t *testing.T, address string, good *fake.Vault)) (*vault.Client, context.Context) {
	t.Helper()
	good := fake.NewVault(t)
	good.Handle("GET kv/a", fake.Good)
	where, _ := url.Parse(good.URL)
	first(t, net.JoinHostPort("127.0.0.2", where.Port()), good)
	s := resolvetest.Settings(t, good)
	s.Vault.Address, s.Vault.ServerName, s.Vault.Timeout = "https://vault.invalid:"+where.Port(), "example.com", 8*time.Second
	client, f := vault.NewClient(&s.Vault, false, &logging.Logger{Out: t.Output(), Level: logging.Debug, Now: time.Now})
	if f != nil {
		t.Fatal(f.Message)
	}
	t.Cleanup(client.Close)
	client.Token = fake.Token
	client.Resolves(netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1"))
	ctx, cancel := context.WithTimeout(t.Context(), s.Vault.Timeout)
	t.Cleanup(cancel)
	return client, ctx
}

// listen serves at an address of its own: on Linux, all of 127.0.0.0/8 is loopback.
func listen(t *testing.T, address string) net.Listener {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine has no second loopback address: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func serve(answer http.HandlerFunc) func(*testing.T, string, *fake.Vault) {
	return func(t *testing.T, address string, good *fake.Vault) {
		server := &http.Server{Handler: answer, TLSConfig: good.TLS.Clone(), ErrorLog: fake.Quiet}
		l := listen(t, address)
		t.Cleanup(func() { server.Close() })
		go server.ServeTLS(l, "", "")
	}
}

func TestAnotherAddressOfTheNameIsTried(t *testing.T) {
	for name, first := range map[string]func(*testing.T, string, *fake.Vault){
		"nobody listens": func(t *testing.T, address string, _ *fake.Vault) { listen(t, address).Close() },
		"closes at once": func(t *testing.T, address string, _ *fake.Vault) {
			l := listen(t, address)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.Close()
				}
			}()
		},
		"no TLS handshake": func(t *testing.T, address string, _ *fake.Vault) {
			listen(t, address) // connections are accepted by the kernel, and never read
		},
		"silent":              serve(mute),
		"sealed":              serve(fake.Status(503, `{"errors":["Vault is sealed"]}`)),
		"no leader":           serve(fake.Status(500, `{"errors":["local node not active but active cluster node not found"]}`)),
		"a standby":           serve(fake.Status(307, "", "Location", "https://vault-1.invalid:8200/v1/kv/a")),
		"a standby in a loop": serve(fake.Status(307, "", "Location", "/v1/kv/a")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, ctx := addresses(t, first)
			answer, f := client.Do(ctx, http.MethodGet, "kv/a", "", nil)
			if f != nil {
				t.Fatal(f.Message)
			}
			if answer.Status != 200 {
				t.Errorf("status %d", answer.Status)
			}
		})
	}
}

// A rate limit is the same at each address, and a replica catches up: the connection is kept.
func TestTheConnectionIsKeptWhereItServes(t *testing.T) {
	for _, status := range []int{412, 429} {
		server := fake.NewVault(t)
		server.Handle(read, fake.InTurn(fake.Status(status, ""), fake.Status(status, ""), fake.Good))
		resolvetest.Resolve(t, resolvetest.Settings(t, server), "X=vault:secret/data/a#k").Want(t, "X=v")
		if n := len(server.Conns); n != 1 {
			t.Errorf("%d: %d connections", status, n)
		}
	}
}
