// Package install implements vault-env --install: it copies the executable to where containers will find it, without a
// shell.
package install

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

const (
	// name is that of the copy.
	name = "vault-env"
	// partial begins that of a copy that is not complete; the user's number follows. Each user has at most one: an
	// installation that was interrupted leaves it behind, and the next one writes over it. So a volume that has room for
	// two executables cannot fill up, and no user can disturb the copy of another.
	partial = ".vault-env-partial-"
	// How long to wait for another installation, which takes less than a second. The kubelet tries again.
	lockTime  = 30 * time.Second
	lockPause = 20 * time.Millisecond
)

// Install copies the executable to DIR/vault-env. The copy is written under another name, read back, compared by its
// digest, and renamed into place, so that no process ever sees half of it. A second installation into the same
// directory replaces the first; one that runs at the same time waits for it, within bounds.
func Install(executable, dir string) *failure.Failure {
	return install(executable, dir, func(string) {})
}

// install calls at with the name of each step before it. Tests end the process there.
func install(executable, dir string, at func(step string)) *failure.Failure {
	source, err := os.Open(executable)
	if err != nil {
		return installFailure("this executable cannot be read", err)
	}
	defer source.Close()
	at("lock")
	lock, err := lockPartial(dir)
	if err != nil {
		return installFailure("cannot write to "+dir, err)
	}
	defer lock.Close() // which gives it up
	removeOld(dir)
	path := partialIn(dir)
	if f := write(path, source, dir, at); f != nil {
		os.Remove(path)
		return f
	}
	at("rename")
	if err := os.Rename(path, filepath.Join(dir, name)); err != nil {
		os.Remove(path)
		return installFailure("the copy in "+dir+" cannot be renamed to vault-env", err)
	}
	at("done")
	return nil
}

// lockPartial returns the file for the copy, which no other installation uses until it is closed. The lock is the
// kernel's, and ends with its process. The file is open for reading only: while a file is open for writing, the kernel
// does not execute it.
func lockPartial(dir string) (*os.File, error) {
	path := partialIn(dir)
	for range int(lockTime / lockPause) {
		// No link is followed, and no pipe waited for, that somebody else has put there.
		file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EISDIR) {
			if os.Remove(path) == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			file.Close()
			if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
				return nil, err
			}
			time.Sleep(lockPause)
			continue
		}
		opened, err := file.Stat()
		now, missing := os.Lstat(path)
		switch {
		case err == nil && missing == nil && os.SameFile(opened, now) && opened.Mode().IsRegular():
			return file, nil
		case err == nil && !opened.Mode().IsRegular():
			os.Remove(path)
		} // else the installation before has renamed it
		file.Close()
	}
	return nil, syscall.EBUSY
}

func partialIn(dir string) string { return filepath.Join(dir, partial+strconv.Itoa(os.Geteuid())) }

// removeOld removes what interrupted installations of older versions have left behind, each under a name of its own.
func removeOld(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if number, is := strings.CutPrefix(entry.Name(), ".vault-env-"); is && number != "" && strings.Trim(number, "0123456789") == "" {
			os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// write fills the file with a copy that is complete, verified, executable and on the volume.
func write(path string, source *os.File, dir string, at func(step string)) *failure.Failure {
	os.Chmod(path, 0o600) // an interrupted installation may have made it executable already
	at("truncate")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return installFailure("cannot write to "+dir, err)
	}
	defer file.Close()
	at("copy")
	digest := sha256.New()
	content := io.TeeReader(source, digest)
	if info, err := source.Stat(); err == nil {
		if _, err := io.CopyN(file, content, info.Size()/2); err != nil {
			return installFailure("the copy in "+dir+" cannot be written", err)
		}
	}
	at("half")
	if _, err := io.Copy(file, content); err != nil {
		return installFailure("the copy in "+dir+" cannot be written", err)
	}
	at("verify")
	if f := verify(file, digest.Sum(nil)); f != nil {
		return f
	}
	at("chmod")
	if err := file.Chmod(0o555); err != nil {
		return installFailure("the copy in "+dir+" cannot be made executable", err)
	}
	at("sync")
	// A failed write may only be reported here.
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return installFailure("the copy in "+dir+" cannot be written", err)
	}
	return nil
}

func verify(file *os.File, want []byte) *failure.Failure {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return installFailure("the copy cannot be read", err)
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return installFailure("the copy cannot be read", err)
	}
	if !bytes.Equal(digest.Sum(nil), want) {
		return failure.Newf(failure.Install, "the copy differs from this executable: check the volume")
	}
	return nil
}

func installFailure(what string, err error) *failure.Failure {
	return failure.Newf(failure.Install, "%s: %v", what, failure.Errno(err))
}
