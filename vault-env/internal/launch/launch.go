// Package launch finds a program as a shell does, and replaces this process with it.
package launch

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"vaultinjection.dev/vault-env/internal/entry"
	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/signals"
)

// defaultPath is the PATH that container runtimes use if an image sets none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Awaits returns whether the file of a program can only be found once the references are resolved: PATH is one.
func Awaits(name string, env environment.Variables) bool {
	path, _ := env.Lookup("PATH")
	parsed, err := reference.Parse("PATH", path)
	return err == nil && parsed.Refers && !strings.Contains(name, "/")
}

// Find returns the file of a program, found as a shell finds it: a name with a slash is a file, and any other name is
// looked up in PATH, where an empty entry is the current directory and a file that cannot be executed is skipped if a
// later one can.
func Find(name string, env environment.Variables) (string, *failure.Failure) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	if name == "" {
		return "", failure.Newf(failure.NotFound, "the command is empty")
	}
	path, ok := env.Lookup("PATH")
	if !ok {
		path = defaultPath
	}
	var found *failure.Failure
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		f := executable(file)
		if f == nil {
			return file, nil
		}
		if f.Status == failure.CannotRun && found == nil {
			found = f
		}
	}
	if found != nil {
		return "", found
	}
	return "", failure.Newf(failure.NotFound, "the command %s is not in PATH: check the command and the image", failure.QuoteName(name))
}

func executable(file string) *failure.Failure {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return failure.Newf(failure.NotFound, "the file %s does not exist: check the command and the image", failure.QuoteName(file))
	case err != nil:
		return failure.Newf(failure.CannotRun, "%s cannot be executed: %v", failure.QuoteName(file), failure.Errno(err))
	case info.IsDir():
		return failure.Newf(failure.CannotRun, "%s cannot be executed: it is a directory", failure.QuoteName(file))
	}
	const executeOK = 1 // X_OK of access(2)
	if err := syscall.Access(file, executeOK); err != nil || info.Mode()&0o111 == 0 {
		return failure.Newf(failure.CannotRun, "%s cannot be executed: permission denied", failure.QuoteName(file))
	}
	return nil
}

// Replace replaces this process with a program. It returns only if that failed. Signals that were ignored when this
// process started are ignored by the program.
func Replace(program string, argv, env []string) *failure.Failure {
	signals.Ignore(entry.Ignored())
	return Failure(program, syscall.Exec(program, argv, env))
}

// Failure returns the failure for a program that the kernel did not start.
func Failure(program string, err error) *failure.Failure {
	file := failure.QuoteName(program)
	switch {
	case errors.Is(err, syscall.ENOENT): // the file was there a moment ago
		return failure.Newf(failure.CannotRun, "%s cannot be executed (no such file or directory): its interpreter or loader is not in the image", file)
	case errors.Is(err, syscall.ENOEXEC):
		return failure.Newf(failure.CannotRun, "%s cannot be executed (exec format error): it is neither a program for this architecture nor a script that begins with #!", file)
	case errors.Is(err, syscall.E2BIG):
		return failure.Newf(failure.CannotRun, "%s cannot be executed (argument list too long): arguments and environment together are longer than Linux allows", file)
	case errors.Is(err, syscall.EINVAL):
		return failure.Newf(failure.CannotRun, "%s cannot be executed: an argument or a variable contains a NUL byte", file)
	}
	return failure.Newf(failure.CannotRun, "%s cannot be executed: %v", file, failure.Errno(err))
}
