package vault

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// network is a network of the test: what a dial of each address does.
type network struct {
	mu      sync.Mutex
	answers map[string]func(context.Context) (net.Conn, error)
	dialed  []string
}

func (n *network) connect(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, address)
	answer := n.answers[address]
	n.mu.Unlock()
	return answer(ctx)
}

func refuses(context.Context) (net.Conn, error) { return nil, errors.New("connection refused") }

// swallows is an address whose packets are lost.
func swallows(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// at is a connection to an address.
type at struct {
	net.Conn
	address string
}

func (c at) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.address)) }
func (c at) Close() error         { return nil }

func accepts(address string) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) { return at{address: address}, nil }
}

func dialerIn(n *network, addresses ...string) *dialer {
	d := newDialer(time.Minute)
	d.stagger = time.Millisecond
	d.connect = n.connect
	d.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, a := range addresses {
			found = append(found, netip.MustParseAddr(a))
		}
		return found, nil
	}
	return d
}

const a1, a2, a3 = "10.0.0.1:8200", "10.0.0.2:8200", "10.0.0.3:8200"

func TestAllAddressesOfANameAreTried(t *testing.T) {
	good := accepts(a3)
	for name, first := range map[string]func(context.Context) (net.Conn, error){"refused": refuses, "swallowed": swallows} {
		for name2, second := range map[string]func(context.Context) (net.Conn, error){"refused": refuses, "swallowed": swallows} {
			t.Run(name+", "+name2, func(t *testing.T) {
				n := &network{answers: map[string]func(context.Context) (net.Conn, error){a1: first, a2: second, a3: good}}
				d := dialerIn(n, "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.3")
				for range 2 {
					conn, err := d.dial(t.Context(), "tcp", "vault:8200")
					if err != nil || conn.RemoteAddr().String() != a3 {
						t.Fatalf("%v, %v", conn, err)
					}
				}
				if got, want := strings.Join(n.dialed, " "), strings.Join([]string{a1, a2, a3, a3}, " "); got != want {
					t.Errorf("dialed %s; want %s: the one that answered comes first the next time", got, want)
				}
			})
		}
	}
}

func TestNoAddressAnswers(t *testing.T) {
	n := &network{answers: map[string]func(context.Context) (net.Conn, error){a1: refuses, a2: swallows}}
	d := dialerIn(n, "10.0.0.1", "10.0.0.2")
	d.timeout = 50 * time.Millisecond
	if _, err := d.dial(t.Context(), "tcp", "vault:8200"); err == nil || err.Error() != "connection refused" {
		t.Errorf("%v; want the error of the first address", err)
	}
	if _, err := dialerIn(n).dial(t.Context(), "tcp", "vault:8200"); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("a name without addresses: %v", err)
	}
	if _, err := d.dial(t.Context(), "tcp", "vault"); err == nil {
		t.Error("no port, and no error")
	}
}

// A resolver that repeats an address, next to itself or later, and in whatever form, costs no more dials.
func TestADialOfAddressesThatAreRepeatedEnds(t *testing.T) {
	for _, addresses := range [][]string{
		{"10.0.0.1", "10.0.0.1", "10.0.0.2"},
		{"10.0.0.1", "10.0.0.2", "10.0.0.1"},
		{"10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1"},
		{"::ffff:10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"},
	} {
		n := &network{answers: map[string]func(context.Context) (net.Conn, error){a1: refuses, a2: refuses}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		ended := make(chan error, 1)
		go func() {
			_, err := dialerIn(n, addresses...).dial(ctx, "tcp", "vault:8200")
			ended <- err
		}()
		select {
		case err := <-ended:
			if err == nil || err.Error() != "connection refused" || len(n.dialed) != 2 {
				t.Errorf("%v: %v, dialed %v", addresses, err, n.dialed)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%v: the dial has not returned", addresses)
		}
		cancel()
	}
}

// A dial ends with its context, even if those of the addresses do not.
func TestADialEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	n := &network{answers: map[string]func(context.Context) (net.Conn, error){
		a1: func(context.Context) (net.Conn, error) { <-release; return nil, errors.New("late") },
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dialerIn(n, "10.0.0.1").dial(ctx, "tcp", "vault:8200"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A dial that is slower than another is closed when it connects after all.
func TestALateConnectionIsClosed(t *testing.T) {
	mine, theirs := net.Pipe()
	release := make(chan struct{})
	n := &network{answers: map[string]func(context.Context) (net.Conn, error){
		a1: func(context.Context) (net.Conn, error) { <-release; return mine, nil },
		a2: accepts(a2),
	}}
	if _, err := dialerIn(n, "10.0.0.1", "10.0.0.2").dial(t.Context(), "tcp", "vault:8200"); err != nil {
		t.Fatal(err)
	}
	close(release)
	if _, err := theirs.Read(make([]byte, 1)); err == nil { // blocks until it is closed
		t.Error("it is open")
	}
}

func TestTheOrderOfAddresses(t *testing.T) {
	d := newDialer(time.Minute)
	order := func(addresses ...string) string {
		var found []netip.Addr
		for _, a := range addresses {
			found = append(found, netip.MustParseAddr(a))
		}
		return strings.Join(d.order(found, "1"), " ")
	}
	if got := order("fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"); got != "[fd00::1]:1 10.0.0.1:1 [fd00::2]:1 10.0.0.2:1 10.0.0.3:1" {
		t.Errorf("two families: %s", got)
	}
	d.failed("10.0.0.1:1")
	d.failed("10.0.0.1:1")
	d.failed("10.0.0.2:1")
	if got := order("10.0.0.1", "10.0.0.2", "10.0.0.3"); got != "10.0.0.3:1 10.0.0.2:1 10.0.0.1:1" {
		t.Errorf("after failures: %s", got)
	}
	if got := order("10.0.0.1", "10.0.0.1"); got != "10.0.0.1:1" {
		t.Errorf("the same twice: %s", got)
	}
	if got := order("10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "10.0.0.2"); got != "10.0.0.2:1 10.0.0.1:1" {
		t.Errorf("the same again later: %s", got)
	}
	if got := strings.Fields(order(strings.Fields(strings.Repeat("10.0.0.9 ", 20) + "10.0.0.8")...)); len(got) != 1 {
		t.Errorf("more than anyone has: %s", got)
	}
}

// A connection on which nothing is received, such as one whose TLS handshake hangs, counts against its address.
func TestAConnectionThatSaysNothing(t *testing.T) {
	n := &network{answers: map[string]func(context.Context) (net.Conn, error){a1: accepts(a1), a2: accepts(a2)}}
	d := dialerIn(n, "10.0.0.1", "10.0.0.2")
	for _, want := range []string{a1, a2, a1} {
		conn, err := d.dial(t.Context(), "tcp", "vault:8200")
		if err != nil || conn.RemoteAddr().String() != want {
			t.Fatalf("%v, %v; want %s", conn.RemoteAddr(), err, want)
		}
		conn.Close()
		conn.Close() // counts once
	}
}
