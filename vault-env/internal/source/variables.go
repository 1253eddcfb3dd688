package source

import (
	"strconv"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
)

// Variables reads settings from variables. An empty variable counts as unset, as in Vault's own client.
type Variables struct {
	Environment environment.Variables
	first       first
}

// Failure returns the first failure among all variables.
func (r *Variables) Failure() *failure.Failure { return r.first.failure }

// Keep keeps a failure, if it is the first.
func (r *Variables) Keep(f *failure.Failure) { r.first.keep(f) }

// Text returns the value of a variable, or unset if it has none.
func (r *Variables) Text(name, unset string) string {
	if value, ok := r.Environment.Lookup(name); ok && value != "" {
		return value
	}
	return unset
}

// Bool returns true or false, and false if the variable is unset.
func (r *Variables) Bool(name string) bool {
	text := r.Text(name, "false")
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.Keep(failure.Newf(failure.Settings, "%s is neither true nor false: write one of them", name))
	}
	return value
}

// Duration returns a duration in Go's syntax, or unset if there is none. A bare number is in seconds, as in Vault's own
// client.
func (r *Variables) Duration(name string, unset time.Duration) time.Duration {
	text := r.Text(name, "")
	if text == "" {
		return unset
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.Keep(failure.Newf(failure.Settings, `%s is not a duration: write one like "10s", or a number of seconds`, name))
	}
	return d
}

// List returns the items of a comma-separated list, without empty ones.
func (r *Variables) List(name string) []string {
	var items []string
	for item := range strings.SplitSeq(r.Text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Path returns a path in Vault, cleaned by the function Path.
func (r *Variables) Path(name, unset string) string {
	path, f := Path(name, r.Text(name, unset))
	r.Keep(f)
	return path
}
