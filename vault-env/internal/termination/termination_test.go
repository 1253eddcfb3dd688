package termination

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "termination-log")
	Write(path, "nobody asked for it")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("it makes a file that the kubelet has not provided")
	}
	if err := os.WriteFile(path, []byte("an older and longer message"), 0o600); err != nil {
		t.Fatal(err)
	}
	for message, want := range map[string]string{
		"why":                               "why\n",
		"\x1b[2J\u202ewhy\nvault-env: fine": "\ufffd[2J\ufffdwhy vault-env: fine\n",
		strings.Repeat("é", 1<<20):          strings.Repeat("é", 2046) + "…\n",
	} {
		Write(path, message)
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("%d bytes: %.40q", len(got), got)
		}
	}
	Write(dir, "a directory")
	Write("/dev/null", "a device")
}
