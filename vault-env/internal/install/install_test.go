package install

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
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

// TestMain turns the test executable into an installation that ends itself before a step, as the kernel would end it.
func TestMain(m *testing.M) {
	if step := os.Getenv("END_BEFORE"); step != "" {
		f := install(os.Getenv("INSTALL_FROM"), os.Getenv("INSTALL_TO"), func(now string) {
			if now == step {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		})
		if f != nil {
			os.Stderr.WriteString(f.Message)
			os.Exit(f.Status)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var steps = []string{"lock", "truncate", "copy", "half", "verify", "chmod", "sync", "rename", "done"}

// original returns an executable to install.
func original(t *testing.T) (path string, content []byte) {
	t.Helper()
	content = bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	path = filepath.Join(t.TempDir(), "original")
	if err := os.WriteFile(path, content, 0o555); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// wantInstalled fails the test unless the folder has a whole copy, and nothing else.
func wantInstalled(t *testing.T, dir string, content []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	info, _ := os.Stat(filepath.Join(dir, name))
	if err != nil || !bytes.Equal(got, content) || info.Mode() != 0o555 {
		t.Errorf("%v, %d bytes, %v", err, len(got), info)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
}

// An installation may be ended at any step, and as often as the kubelet tries: it leaves at most one file behind, nobody
// ever sees half a copy, and the next one completes.
func TestInterruptedInstallations(t *testing.T) {
	from, content := original(t)
	dir := t.TempDir()
	for range 2 { // the second time, an executable is there already
		for _, step := range steps {
			for range 2 {
				cmd := exec.Command(os.Args[0])
				cmd.Env = []string{"END_BEFORE=" + step, "INSTALL_FROM=" + from, "INSTALL_TO=" + dir, "GOCOVERDIR=" + t.TempDir()}
				cmd.Run()
				if status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
					t.Fatalf("%s: %v", step, cmd.ProcessState)
				}
				entries, _ := os.ReadDir(dir)
				for _, entry := range entries {
					if entry.Name() != name && entry.Name() != filepath.Base(partialIn(dir)) {
						t.Errorf("%s: %s is left behind", step, entry.Name())
					}
				}
				if got, err := os.ReadFile(filepath.Join(dir, name)); err == nil && !bytes.Equal(got, content) {
					t.Errorf("%s: half a copy", step)
				}
			}
		}
		if f := Install(from, dir); f != nil {
			t.Fatal(f)
		}
		wantInstalled(t, dir, content)
	}
}

func TestParallelInstallations(t *testing.T) {
	from, content := original(t)
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if f := Install(from, dir); f != nil {
				t.Error(f)
			}
		})
	}
	all.Wait()
	wantInstalled(t, dir, content)
}

// Another user who installs into the same volume has a copy of its own: what it leaves half done is not put into place.
func TestInstallationsOfTwoUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run as another user")
	}
	from, content := original(t)
	base, err := os.MkdirTemp("", "install-") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	executable, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	ours, program, dir := filepath.Join(base, "original"), filepath.Join(base, "installs"), filepath.Join(base, "volume")
	if err := errors.Join(os.Chmod(base, 0o755), os.WriteFile(ours, content, 0o555), os.WriteFile(program, executable, 0o555), os.Mkdir(dir, 0), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	f := install(from, dir, func(step string) {
		if step != "rename" {
			return
		}
		cmd := exec.Command(program)
		cmd.Env = []string{"END_BEFORE=verify", "INSTALL_FROM=" + ours, "INSTALL_TO=" + dir}
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Run()
		if status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Errorf("the other user: %v", cmd.ProcessState)
		}
	})
	if got, err := os.ReadFile(filepath.Join(dir, name)); f != nil || err != nil || !bytes.Equal(got, content) {
		t.Errorf("%v, %v, %d of %d bytes", f, err, len(got), len(content))
	}
}

// What is in the place of the copy does not matter, and neither do the names that older versions used.
func TestWhatIsThereBefore(t *testing.T) {
	from, content := original(t)
	for what, put := range map[string]func(path string) error{
		"an executable copy":  func(path string) error { return os.WriteFile(path, []byte("longer or not"), 0o555) },
		"a file without mode": func(path string) error { return os.WriteFile(path, nil, 0) },
		"a link":              func(path string) error { return os.Symlink("/nonexistent/elsewhere", path) },
		"a pipe":              func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"an empty folder":     func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		dir := t.TempDir()
		if err := put(partialIn(dir)); err != nil {
			t.Fatal(err)
		}
		for _, old := range []string{".vault-env-123456", ".vault-env-7"} {
			os.WriteFile(filepath.Join(dir, old), content, 0o600)
		}
		if f := Install(from, dir); f != nil {
			t.Errorf("%s: %v", what, f)
			continue
		}
		wantInstalled(t, dir, content)
	}
}
