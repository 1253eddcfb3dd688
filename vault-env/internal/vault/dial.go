package vault

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// How long a dial may take before the next address is dialed beside it, as RFC 8305 recommends (section 5).
	dialStagger = 250 * time.Millisecond
	// Of a name. More than any name of a Vault has; a DNS server may be hostile.
	maxAddresses = 16
)

// dialer connects to one of the addresses of a name. It tries all of them, one after the other begins: net.Dialer would
// divide its time among them, so that an address that swallows packets can use up the time of those after it. It
// remembers which addresses have failed, and tries them last.
type dialer struct {
	timeout time.Duration // for all addresses together
	stagger time.Duration
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	connect func(ctx context.Context, network, address string) (net.Conn, error)

	mu       sync.Mutex
	failures map[string]int // by address and port
}

func newDialer(timeout time.Duration) *dialer {
	return &dialer{
		timeout:  timeout,
		stagger:  min(dialStagger, timeout/4),
		lookup:   net.DefaultResolver.LookupNetIP,
		connect:  (&net.Dialer{}).DialContext,
		failures: map[string]int{},
	}
}

// dial connects as net.Dialer.DialContext does.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	found, err := d.lookup(ctx, "ip", host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	targets := d.order(found, port)
	if len(targets) == 0 {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "the name has no address", Addr: host}}
	}
	return d.race(ctx, network, targets)
}

type dialed struct {
	conn   net.Conn
	err    error
	target string
}

// race dials the first address, and the next ones when one has failed or is slow. It returns the first connection, or
// the error of the first address. The addresses are all different.
func (d *dialer) race(ctx context.Context, network string, targets []string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialed, len(targets))
	begun, ended := 0, 0
	begin := func() {
		target := targets[begun]
		begun++
		go func() {
			conn, err := d.connect(ctx, network, target)
			results <- dialed{conn, err, target}
		}()
	}
	var first error // of the first address
	begin()
	slow := time.NewTimer(d.stagger)
	defer slow.Stop()
	for {
		select {
		case <-slow.C:
		case <-ctx.Done():
			err := first
			if err == nil {
				err = &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
			}
			go abandon(cancel, results, begun-ended)
			d.failed(targets[:begun]...)
			return nil, err
		case r := <-results:
			ended++
			if r.err == nil {
				for _, other := range targets[:begun] {
					if other != r.target {
						d.failed(other) // or is slow
					}
				}
				go abandon(cancel, results, begun-ended)
				return &tracked{Conn: r.conn, dialer: d}, nil
			}
			if r.target == targets[0] {
				first = r.err
			}
			if ended == len(targets) {
				cancel()
				d.failed(targets...)
				return nil, first
			}
		}
		if begun < len(targets) {
			begin()
			slow.Reset(d.stagger)
		}
	}
}

// abandon ends the dials in progress, and closes what they connected.
func abandon(cancel context.CancelFunc, results <-chan dialed, pending int) {
	cancel()
	for range pending {
		if r := <-results; r.err == nil {
			r.conn.Close()
		}
	}
}

// order returns the addresses to dial, each once, with the port: those that failed least first, and otherwise as the
// resolver sorted them (RFC 6724), but with the two families in turn (RFC 8305, section 4), so that a network without one
// of them costs one pause.
func (d *dialer) order(found []netip.Addr, port string) []string {
	var first, second []string
	seen := map[string]bool{}
	for _, ip := range found[:min(len(found), maxAddresses)] {
		target := net.JoinHostPort(ip.Unmap().String(), port)
		if seen[target] {
			continue
		}
		seen[target] = true
		if ip.Unmap().Is4() == found[0].Unmap().Is4() {
			first = append(first, target)
		} else {
			second = append(second, target)
		}
	}
	var targets []string
	for i := range max(len(first), len(second)) {
		targets = append(targets, first[min(i, len(first)):min(i+1, len(first))]...)
		targets = append(targets, second[min(i, len(second)):min(i+1, len(second))]...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.SortStableFunc(targets, func(a, b string) int { return d.failures[a] - d.failures[b] })
	return targets
}

// failed remembers that addresses did not answer, or not now.
func (d *dialer) failed(targets ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, target := range targets {
		d.failures[target]++
	}
}

// tracked is a connection. If nothing was ever received on it, such as in a TLS handshake that hangs, its address counts
// as one that has failed.
type tracked struct {
	net.Conn
	dialer *dialer
	heard  atomic.Bool
	closed sync.Once
}

func (c *tracked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, err
}

func (c *tracked) Close() error {
	c.closed.Do(func() {
		if !c.heard.Load() {
			c.dialer.failed(c.RemoteAddr().String())
		}
	})
	return c.Conn.Close()
}
