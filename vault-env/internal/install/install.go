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

	"vaultinjection.dev/vault-env/internal/failure"
)

// Install copies the executable to DIR/vault-env. The copy is written under another name, read back, compared by its
// digest, and renamed into place, so that no process ever sees half of it. A second installation into the same
// directory replaces the first.
func Install(executable, dir string) *failure.Failure {
	source, err := os.Open(executable)
	if err != nil {
		return installFailure("this executable cannot be read", err)
	}
	defer source.Close()
	file, err := os.CreateTemp(dir, ".vault-env-*")
	if err != nil {
		return installFailure("cannot write to "+dir, err)
	}
	defer os.Remove(file.Name()) // already renamed on success
	defer file.Close()

	digest := sha256.New()
	if _, err := io.Copy(file, io.TeeReader(source, digest)); err != nil {
		return installFailure("the copy in "+dir+" cannot be written", err)
	}
	if f := verify(file, digest.Sum(nil)); f != nil {
		return f
	}
	if err := file.Chmod(0o555); err != nil {
		return installFailure("the copy in "+dir+" cannot be made executable", err)
	}
	// A failed write may only be reported here.
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return installFailure("the copy in "+dir+" cannot be written", err)
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, "vault-env")); err != nil {
		return installFailure("the copy in "+dir+" cannot be renamed to vault-env", err)
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
