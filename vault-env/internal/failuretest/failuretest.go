// Package failuretest compares failures with what tests expect.
package failuretest

import (
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Want fails the test unless a failure has the status, and says all of the parts in one line.
func Want(t *testing.T, f *failure.Failure, status int, parts ...string) {
	t.Helper()
	if f == nil {
		t.Fatalf("no failure; want the status %d", status)
	}
	if f.Status != status {
		t.Errorf("status %d; want %d: %s", f.Status, status, f.Message)
	}
	for _, part := range parts {
		if !strings.Contains(f.Message, part) {
			t.Errorf("the failure does not say %q: %s", part, f.Message)
		}
	}
	if strings.ContainsAny(failure.OneLine(f.Message), "\n\r") {
		t.Errorf("more than one line: %q", f.Message)
	}
}
