// Package failuretest compares failures with what tests expect.
package failuretest

import (
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Want fails the test unless the failure has the status, and its message is one line that contains all of the parts.
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
			t.Errorf("the failure does not contain %q: %s", part, f.Message)
		}
	}
	if strings.ContainsAny(failure.OneLine(f.Message), "\n\r") {
		t.Errorf("more than one line: %q", f.Message)
	}
}
