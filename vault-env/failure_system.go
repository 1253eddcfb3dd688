package main

import (
	"errors"
	"io/fs"
	"syscall"
)

// fileFailure is the failure of a file that the settings name. It says why the file cannot be read, and its path once.
func fileFailure(what, path string, err error) *failure {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return failf(exitSettings, "%s %s cannot be read: %v", what, path, err)
}

// errnoOf returns what the kernel said of an error, without the paths that Go puts around it.
func errnoOf(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return errors.New("unknown error")
}
