package vault

import (
	"context"
	"net/netip"
	"time"
)

// The limits of the client, for tests in the external test package.
const (
	MaxAnswer      = maxAnswer
	MaxAnswers     = maxAnswers
	MaxConnections = maxConnections
	LeaveAgain     = leaveAgain
)

// Resolves makes every name have these addresses.
func (c *Client) Resolves(to ...netip.Addr) {
	c.lines.names.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return to, nil }
}

// Clock makes the client read the time from a clock. Its idle connections stay open, however slow the test is.
func (c *Client) Clock(now func() time.Time) {
	c.lines.clock = now
	c.lines.now.IdleConnTimeout = 0
}

// Sleeps makes the pauses between the attempts of a revocation a function.
func (c *Client) Sleeps(sleep func(context.Context, time.Duration) bool) { c.sleep = sleep }

// AtLimit returns whether the client knows that it is at Vault's rate limit.
func (c *Client) AtLimit() bool { return c.lines.atLimit() }
