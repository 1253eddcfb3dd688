// Package failure is how vault-env fails: with one line that says what is wrong and what to do, and an exit status for
// each kind of failure. Every other package returns a *Failure instead of an error, so that the code that detects a
// problem also decides what the user reads. Only main prints it.
//
// The package also prepares text from elsewhere (Vault, the kernel, names in secrets) for that line.
package failure

import "fmt"

// Exit statuses of vault-env's own failures, after sysexits(3), so that `kubectl get pod` shows the kind of failure.
// 126 and 127 have the same meaning as in a shell. Every other status is the program's.
const (
	Usage       = 64  // the command line
	Data        = 65  // the value cannot be used: an object instead of a string, a NUL byte, too long, a failed template
	Missing     = 66  // no secret at the path, no such key, version deleted
	Unavailable = 69  // Vault could not be reached, or could not answer, in time
	Install     = 74  // --install could not write
	NotYet      = 75  // --started: the program of the container does not run yet
	Protocol    = 76  // an answer that is not from Vault
	Denied      = 77  // Vault refused the login or the path
	Settings    = 78  // settings, references, files named by the settings
	CannotRun   = 126 // the program exists, but cannot be executed
	NotFound    = 127 // the program does not exist
)

// Failure ends vault-env before the program starts: one line, and the exit status.
type Failure struct {
	Status  int
	Message string
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Newf returns a failure with a status and a message.
func Newf(status int, format string, args ...any) *Failure {
	return &Failure{status, fmt.Sprintf(format, args...)}
}

// Under returns the same failure with a name (a variable, a setting) in front. It returns Cancelled unchanged, which is
// never printed.
func (f *Failure) Under(name string) *Failure {
	if f == Cancelled {
		return f
	}
	return &Failure{f.Status, name + ": " + f.Message}
}

// Cancelled is the failure of a request that was cancelled because another one failed.
var Cancelled = &Failure{Unavailable, "cancelled"}
