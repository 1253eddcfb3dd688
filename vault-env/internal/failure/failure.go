// Package failure is how vault-env fails: with one line that says what is wrong and what to do, and an exit status that
// tells the kinds of failures apart. Every other package returns a *Failure in place of an error, so that whoever finds
// out that something is wrong also decides what the user reads; main alone prints it.
//
// What comes from elsewhere (Vault, the kernel, names in secrets) is made fit for that line here as well.
package failure

import "fmt"

// Exit statuses of vault-env's own failures, after sysexits(3), so that `kubectl get pod` tells the kinds apart.
// 126 and 127 mean what they mean in a shell. Every other status is the program's.
const (
	Usage       = 64  // the command line
	Data        = 65  // what Vault gave does not fit: an object for a string, a NUL byte, too long, a failed template
	Missing     = 66  // no secret at the path, no such key, version deleted
	Unavailable = 69  // Vault was not reached, or not able to answer, in time
	Install     = 74  // --install could not write
	Protocol    = 76  // an answer that is not Vault's
	Denied      = 77  // Vault refused the login or the path
	Settings    = 78  // settings, references, files named by the settings
	CannotRun   = 126 // the program is there, but cannot be executed
	NotFound    = 127 // there is no such program
)

// Failure ends vault-env before the program was started: one line, and the status to exit with.
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

// Under returns the same failure with a name (a variable, a setting) in front. What was cancelled stays just that, for
// nobody is told of it.
func (f *Failure) Under(name string) *Failure {
	if f == Cancelled {
		return f
	}
	return &Failure{f.Status, name + ": " + f.Message}
}

// Cancelled is the failure of a request that was given up because another one failed.
var Cancelled = &Failure{Unavailable, "cancelled"}
