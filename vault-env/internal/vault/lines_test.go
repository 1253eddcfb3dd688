package vault_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/vault"
)

// A Vault that is sealed or overloaded answers many requests with "not now". Only now and then, that costs a handshake.
func TestAServerThatHasNoAnswerIsNotLeftEachTime(t *testing.T) {
	for name, c := range map[string]struct {
		http2  bool
		status int
		most   [3]int // connections after the first answers, after many more, and after as many a pause later
	}{
		"HTTP/2, sealed":      {true, 503, [3]int{2, 2, 3}},
		"HTTP/2, no leader":   {true, 500, [3]int{2, 2, 3}},
		"HTTP/2, redirect":    {true, 307, [3]int{2, 2, 3}},
		"HTTP/1.1, sealed":    {false, 503, [3]int{2, 1 + vault.MaxConnections, 1 + 2*vault.MaxConnections}},
		"HTTP/1.1, no leader": {false, 500, [3]int{2, 1 + vault.MaxConnections, 1 + 2*vault.MaxConnections}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Handle("GET kv/a", fake.Status(c.status, "", "Location", "https://vault-1.invalid:8200/v1/kv/a"))
			front := httptest.NewUnstartedServer(server)
			front.EnableHTTP2, front.Config.ErrorLog = c.http2, fake.Quiet
			front.StartTLS()
			t.Cleanup(front.Close)
			s := resolvetest.Settings(t, server)
			s.Vault.Address, s.Vault.CAPEM, s.Vault.Timeout = front.URL, fake.PEMOf(front), time.Minute
			client := newClient(t, &s.Vault)
			client.SpeaksHTTP2(c.http2)
			now := time.Now()
			client.Clock(func() time.Time { return now })
			for i, most := range c.most {
				if i == 0 {
					once(t, client)
					once(t, client)
				} else {
					if i == 2 {
						now = now.Add(vault.LeaveAgain)
					}
					var all sync.WaitGroup
					for range 40 {
						all.Go(func() { once(t, client); once(t, client) })
					}
					all.Wait()
				}
				if n := len(server.Conns); n > most {
					t.Errorf("%d connections; want at most %d", n, most)
				}
			}
		})
	}
}

// Behind one name are a server with HTTP/2 and another without it: the connection tells. Otherwise the rest of a start
// would go through one connection, one request after the other.
func TestAnotherServerSpeaksAnotherProtocol(t *testing.T) {
	good := fake.NewVault(t)
	var arrived atomic.Int32
	both := make(chan struct{})
	good.Handle("GET kv/a", func(w http.ResponseWriter, r *http.Request) {
		switch arrived.Add(1) {
		case 2:
			select {
			case <-both:
			case <-r.Context().Done():
			}
		case 3:
			close(both)
		}
		fake.Good(w, r)
	})
	old := httptest.NewUnstartedServer(good)
	old.Config.ErrorLog = fake.Quiet
	old.StartTLS()
	t.Cleanup(old.Close)
	where, _ := url.Parse(old.URL)
	serve(fake.Status(503, ""))(t, net.JoinHostPort("127.0.0.2", where.Port()), good)
	s := resolvetest.Settings(t, good)
	s.Vault.Address, s.Vault.ServerName, s.Vault.Timeout = "https://vault.invalid:"+where.Port(), "example.com", time.Minute
	client := newClient(t, &s.Vault)
	client.Resolves(netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1"))
	client.SpeaksHTTP2(true)
	once(t, client) // 503
	once(t, client) // of the other
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { once(t, client) })
	}
	all.Wait()
	if n := len(good.Conns); n < 2 {
		t.Errorf("%d connections", n)
	}
}

func newClient(t *testing.T, v *vault.Connection) *vault.Client {
	client, f := vault.NewClient(v, false, &logging.Logger{Out: t.Output(), Level: logging.Debug, Now: time.Now})
	if f != nil {
		t.Fatal(f.Message)
	}
	t.Cleanup(client.Close)
	client.Token = fake.Token
	return client
}

func once(t *testing.T, client *vault.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := client.Once(ctx, http.MethodGet, "kv/a", nil); err != nil {
		t.Error(err)
	}
}
