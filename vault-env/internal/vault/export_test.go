package vault

import (
	"context"
	"net/netip"
)

// The limits of the client, for tests in the external test package.
const (
	MaxAnswer      = maxAnswer
	MaxAnswers     = maxAnswers
	MaxConnections = maxConnections
)

// Resolves makes every name have these addresses.
func (c *Client) Resolves(to ...netip.Addr) {
	c.lines.names.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return to, nil }
}
