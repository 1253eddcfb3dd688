package fake

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// NewProxy starts an HTTP proxy that forwards CONNECT for the hosts ("HOST:PORT" to the address of a fake), and nothing
// else. With TLS, its certificate is that of the fake Vault. It returns its URL, and what it has been asked for so far.
func NewProxy(t *testing.T, isTLS bool, hosts map[string]string) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.Host)
		mu.Unlock()
		to, known := hosts[r.Host]
		if r.Method != http.MethodConnect || !known {
			http.Error(w, "not forwarded: "+r.Method+" "+r.Host, http.StatusForbidden)
			return
		}
		forward(w, to)
	}))
	s.Config.ErrorLog = Quiet
	if isTLS {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// forward joins the connection of a request and one to an address until either of them ends.
func forward(w http.ResponseWriter, to string) {
	fake, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	// The answer comes after the hijack: what the client sends in return is otherwise read by the server of the request.
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fake.Close()
		return
	}
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(fake, buffered); fake.Close() }()
	io.Copy(client, fake)
	client.Close()
}
