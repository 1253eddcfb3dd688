package failure

import (
	"errors"
	"io/fs"
	"syscall"
)

// Unreadable returns the failure for a file in the settings that cannot be read. Its message has the reason, and the
// path only once.
func Unreadable(what, path string, err error) *Failure {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return Newf(Settings, "%s %s cannot be read: %v", what, path, err)
}

// Errno returns the kernel's error in err, without the paths that Go adds.
func Errno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return errors.New("unknown error")
}
