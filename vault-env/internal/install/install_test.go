package install

import (
	"os"
	"path/filepath"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

func TestVerifyFindsADamagedCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if f := verify(file, []byte("another digest")); f == nil || f.Status != failure.Install {
		t.Errorf("%v", f)
	}
}
