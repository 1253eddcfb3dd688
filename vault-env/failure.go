package main

import "fmt"

// Exit statuses of vault-env's own failures, after sysexits(3), so that `kubectl get pod` tells the kinds apart.
// 126 and 127 mean what they mean in a shell. Every other status is the program's.
const (
	exitUsage       = 64  // the command line
	exitData        = 65  // what Vault gave does not fit: an object for a string, a NUL byte, too long, a failed template
	exitMissing     = 66  // no secret at the path, no such key, version deleted
	exitUnavailable = 69  // Vault was not reached, or not able to answer, in time
	exitInstall     = 74  // --install could not write
	exitProtocol    = 76  // an answer that is not Vault's
	exitDenied      = 77  // Vault refused the login or the path
	exitSettings    = 78  // settings, references, files named by the settings
	exitCannotRun   = 126 // the program is there, but cannot be executed
	exitNotFound    = 127 // there is no such program
)

// failure ends vault-env before the program was started: one line, and the status to exit with.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string { return f.message }

func failf(status int, format string, args ...any) *failure {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// under gives the same failure with a name (a variable, a setting) in front. What was cancelled stays just that, for
// nobody is told of it.
func (f *failure) under(name string) *failure {
	if f == cancelled {
		return f
	}
	return &failure{f.status, name + ": " + f.message}
}

// cancelled is the failure of a request that was given up because another one failed.
var cancelled = &failure{exitUnavailable, "cancelled"}
