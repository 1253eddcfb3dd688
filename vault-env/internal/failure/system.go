package failure

import (
	"errors"
	"io/fs"
	"syscall"
)

// Unreadable returns the failure of a file that the settings name. It says why the file cannot be read, and its path
// once.
func Unreadable(what, path string, err error) *Failure {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return Newf(Settings, "%s %s cannot be read: %v", what, path, err)
}

// Errno returns what the kernel said of an error, without the paths that Go puts around it.
func Errno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return errors.New("unknown error")
}
