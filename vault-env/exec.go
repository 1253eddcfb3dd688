package main

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// defaultPath is where container runtimes look when an image sets no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program as a shell does: a name with a slash is a file, any other is looked for in PATH, where an
// empty entry is the current directory, and a file that cannot be executed is passed over for a later one that can.
func lookPath(name string, env environment) (string, *failure) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	if name == "" {
		return "", failf(exitNotFound, "the command is empty")
	}
	path, ok := env.lookup("PATH")
	if !ok {
		path = defaultPath
	}
	var found *failure
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		f := executable(file)
		if f == nil {
			return file, nil
		}
		if f.status == exitCannotRun && found == nil {
			found = f
		}
	}
	if found != nil {
		return "", found
	}
	return "", failf(exitNotFound, "the command %s is not in PATH: check the command, or the image", quoteName(name))
}

func executable(file string) *failure {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return failf(exitNotFound, "there is no file %s: check the command, or the image", quoteName(file))
	case err != nil:
		return failf(exitCannotRun, "%s cannot be executed: %v", quoteName(file), errnoOf(err))
	case info.IsDir():
		return failf(exitCannotRun, "%s cannot be executed: it is a directory", quoteName(file))
	}
	const executeOK = 1 // X_OK of access(2)
	if err := syscall.Access(file, executeOK); err != nil || info.Mode()&0o111 == 0 {
		return failf(exitCannotRun, "%s cannot be executed: permission denied", quoteName(file))
	}
	return nil
}

// replaceProcess only returns where it failed.
func replaceProcess(program string, argv, env []string) *failure {
	return execFailure(program, syscall.Exec(program, argv, env))
}

func execFailure(program string, err error) *failure {
	file := quoteName(program)
	switch {
	case errors.Is(err, syscall.ENOENT): // the file was there a moment ago
		return failf(exitCannotRun, "%s cannot be executed: its interpreter or loader is not in the image", file)
	case errors.Is(err, syscall.ENOEXEC):
		return failf(exitCannotRun, "%s cannot be executed: it is neither a program for this machine nor a script that begins with #!", file)
	case errors.Is(err, syscall.E2BIG):
		return failf(exitCannotRun, "%s cannot be executed: arguments and environment together are longer than Linux takes", file)
	case errors.Is(err, syscall.EINVAL):
		return failf(exitCannotRun, "%s cannot be executed: an argument or a variable holds a NUL byte", file)
	}
	return failf(exitCannotRun, "%s cannot be executed: %v", file, errnoOf(err))
}
