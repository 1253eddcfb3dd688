package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

func TestRefuseExec(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	config := vault.Settings(t, func(c fake.Fields) { c["process"] = fake.Fields{"refuseExec": true} })
	path := "PATH=/usr/bin:/bin"
	// This test is in the same cgroup, and older.
	vaultEnv(t, []string{path, config, "X=vault:kv/a#k"}, "echo", "started").wantLine(t, failure.Denied, "this is not the first process of the container (kubectl exec?)")
	if len(vault.Seen()) > 0 {
		t.Errorf("Vault was asked: %v", vault.Seen())
	}
	if e := vaultEnv(t, []string{path, config, "X=1"}, "echo", "started"); e.status != 0 || e.stdout != "started\n" {
		t.Errorf("there is nothing to protect, but %+v", e)
	}
	t.Run("process 1", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root can create process namespaces")
		}
		self, _ := os.Executable()
		cmd := exec.Command(self, "echo", "started")
		cmd.Env = []string{"BE_VAULT_ENV=true", path, config, "X=vault:kv/a#k"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if e := end(t, cmd); e.status != 0 || e.stdout != "started\n" {
			t.Errorf("%+v", e)
		}
	})
}

// The log lines of net/http contain parts of answers and, with GODEBUG, the token.
func TestNothingElseLogs(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"hunter2"}`)
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "GODEBUG=http2debug=2", vault.Settings(t), "X=vault:kv/a#k"}, "true")
	if e.status != 0 || e.stderr != "" {
		t.Errorf("%+v", e)
	}
}

// owner returns the user that owns a process's files in /proc: root if the process cannot be dumped.
func owner(t *testing.T, pid int) uint32 {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func limits(t *testing.T, pid string) string {
	t.Helper()
	content, err := os.ReadFile("/proc/" + pid + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestMemoryIsConcealedWhileThereAreSecrets(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run as another user, and see the difference")
	}
	const nobody = 65534
	self, _ := os.Executable()
	dir := t.TempDir()
	content, _ := os.ReadFile(self)
	executable := filepath.Join(dir, "vault-env")
	for path := dir; path != os.TempDir(); path = filepath.Dir(path) {
		os.Chmod(path, 0o755)
	}
	if err := os.WriteFile(executable, content, 0o555); err != nil {
		t.Fatal(err)
	}

	vault := fake.NewVault(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	vault.Handle("GET kv/a", func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-answer
		fake.Good(w, r)
	})
	cmd := exec.Command(executable, "sh", "-c", "echo started $X; read x")
	jwt := filepath.Join(dir, "jwt")
	if err := os.WriteFile(jwt, []byte(fake.JWT), 0o644); err != nil {
		t.Fatal(err)
	}
	config := vault.Settings(t, func(c fake.Fields) { c["vault"].(fake.Fields)["auth"].(fake.Fields)["tokenPath"] = jwt })
	cmd.Env = []string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	<-asked
	if uid := owner(t, cmd.Process.Pid); uid != 0 {
		t.Errorf("while it reads, its memory belongs to user %d", uid)
	}
	close(answer)
	line, err := bufio.NewReader(io.LimitReader(stdout, 100)).ReadString('\n')
	if line != "started v\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if uid := owner(t, cmd.Process.Pid); uid != nobody {
		t.Errorf("the program's memory belongs to user %d", uid)
	}
	if got, want := limits(t, strconv.Itoa(cmd.Process.Pid)), limits(t, "self"); got != want {
		t.Errorf("the program's limits are\n%s\nand were\n%s", got, want)
	}
}
