package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

var daemonMode = []string{"VAULT_ENV_DAEMON=true"}

func TestDaemonReturnsTheExitStatus(t *testing.T) {
	for command, want := range map[string]int{
		"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -TERM $$": 143, "kill -KILL $$": 137, "kill -SEGV $$": 139, "kill -64 $$": 192,
		"(sleep 0.05; kill -CONT $$) & kill -STOP $$; exit 3": 3,
	} {
		r := startDaemon(t, daemonMode, "--", "sh", "-c", command)
		if r.ends(want); r.log() != "" {
			t.Errorf("%s: log %s", command, r.log())
		}
	}
}

func TestDaemonFailsAsExecDoes(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		status  int
		says    string
	}{
		"no such program": {"no-such-program", failure.NotFound, "is not in PATH"},
		"no program":      {script(t, 0o755, "hello"), failure.CannotRun, "it is neither a program for this architecture"},
		"no interpreter":  {script(t, 0o755, "#!/no/such\n"), failure.CannotRun, "its interpreter or loader is not in the image"},
	} {
		t.Run(name, func(t *testing.T) {
			e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ENV_DAEMON=true"}, c.program)
			e.wantLine(t, c.status, c.says)
		})
	}
}

func TestDaemonForwardsSignals(t *testing.T) {
	r := startDaemon(t, append(daemonMode, "BE_PROGRAM=true"), self(t))
	r.says("ready")
	for s := syscall.Signal(1); s <= 64; s++ {
		switch {
		case s == syscall.SIGKILL || s == syscall.SIGSTOP || s == syscall.SIGTERM || s >= 32 && s <= 34:
		case s == syscall.SIGPROF: // Go's own
		case s == syscall.SIGILL || s == syscall.SIGTRAP || s == syscall.SIGBUS || s == syscall.SIGFPE || s == syscall.SIGSEGV || s == syscall.SIGSTKFLT || s == syscall.SIGSYS:
			// the processor's
		case s == syscall.SIGCHLD || s == syscall.SIGURG || s == syscall.SIGPIPE || s == syscall.SIGTTIN || s == syscall.SIGTTOU:
			// Not forwarded. If it were, the program would print it before the next one.
			if s != syscall.SIGTTIN && s != syscall.SIGTTOU { // which stop a process that does not catch them
				r.signal(s)
			}
		default:
			r.signal(s)
			r.says(strconv.Itoa(int(s)))
		}
	}
	// All of them at once. Only duplicates of a pending signal may be lost.
	r.signal(syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, 40)
	var got []string
	for range 4 {
		line, _ := r.stdout.ReadString('\n')
		got = append(got, strings.TrimSpace(line))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"1", "10", "12", "40"}) {
		t.Errorf("got %v", got)
	}
	r.signal(syscall.SIGTERM)
	r.says("15")
	r.ends(0)
}

func TestDaemonsProcesses(t *testing.T) {
	t.Run("the program has its own process group, in the same session", func(t *testing.T) {
		r := startDaemon(t, daemonMode, "sh", "-c", `echo "$$ $PPID $(cut -d" " -f5 /proc/self/stat)"; sleep 60`)
		pid := r.program()
		r.says(fmt.Sprintf("%d %d %d", pid, r.pid(), pid))
	})
	t.Run("a signal is for the program, not for its children", func(t *testing.T) {
		r := startDaemon(t, daemonMode, "sh", "-c", `trap 'echo parent' USR1; sh -c "trap 'echo child' USR1; echo ready; while :; do sleep 0.01; done" & while :; do sleep 0.01; done`)
		r.says("ready")
		r.signal(syscall.SIGUSR1)
		r.says("parent")
		r.signal(syscall.SIGUSR1)
		r.says("parent")
	})
	t.Run("orphans leave no zombies", func(t *testing.T) {
		r := startDaemon(t, daemonMode, "sh", "-c", `for i in 1 2 3 4 5 6 7 8 9; do (sh -c "sleep 0.0$i; exit $i" &); done; trap "exit 4" USR1; echo started; while :; do sleep 0.01; done`)
		r.says("started")
		eventually(t, "one child, and no zombie", func() bool { c := children(r.pid()); return len(c) == 1 && !strings.HasSuffix(c[0], "Z") })
		r.signal(syscall.SIGUSR1)
		r.ends(4)
	})
	t.Run("the program does not outlive vault-env", func(t *testing.T) {
		r := startDaemon(t, append(daemonMode, "BE_PROGRAM=true"), self(t))
		r.says("ready")
		pid := r.program()
		r.signal(syscall.SIGKILL)
		eventually(t, "the program is gone", func() bool { s := stateOf(pid); return s == "gone" || s == "Z" || s == "X" })
	})
	t.Run("both are stopped and continued", func(t *testing.T) {
		r := startDaemon(t, daemonMode, "sh", "-c", "echo ready; exec sleep 60")
		r.says("ready")
		pid := r.program()
		for range 3 {
			r.signal(syscall.SIGTSTP)
			eventually(t, "both are stopped", func() bool { return stateOf(pid) == "T" && stateOf(r.pid()) == "T" })
			r.signal(syscall.SIGCONT)
			eventually(t, "both run", func() bool { return stateOf(pid) != "T" && stateOf(r.pid()) != "T" })
		}
		r.signal(syscall.SIGTERM)
		r.ends(143)
	})
	t.Run("a program that stops itself does not stop vault-env", func(t *testing.T) {
		r := startDaemon(t, daemonMode, "sh", "-c", "echo ready; kill -STOP $$; exit 8")
		r.says("ready")
		pid := r.program()
		eventually(t, "the program is stopped", func() bool { return stateOf(pid) == "T" })
		time.Sleep(50 * time.Millisecond)
		if s := stateOf(r.pid()); s == "T" {
			t.Error("vault-env is stopped")
		}
		r.signal(syscall.SIGCONT)
		r.ends(8)
	})
	t.Run("open files are inherited as in mode Exec", func(t *testing.T) {
		var listed []string
		for _, env := range [][]string{nil, daemonMode} {
			cmd := exec.Command(self(t), "sh", "-c", "ls /proc/self/fd; cat <&3")
			cmd.Env = append([]string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin"}, env...)
			file, err := os.Open(fake.File(t, "three", "content of three"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cmd.ExtraFiles = []*os.File{file}
			listed = append(listed, end(t, cmd).stdout)
		}
		if listed[0] != listed[1] || !strings.HasSuffix(listed[1], "content of three") {
			t.Errorf("%q", listed)
		}
	})
}

// As process 1, the kernel's defaults differ: no signal ends it, and it adopts all orphans.
func TestDaemonAsProcessOne(t *testing.T) {
	r := &running{t: t, cmd: exec.Command(self(t), "sh", "-c", `
		trap 'echo told; exit 7' TERM
		for i in 1 2 3 4 5; do (sh -c "sleep 0.0$i; exit $i" &); done
		echo "$$ $PPID"
		while :; do sleep 0.01; done`)}
	r.cmd.Env = []string{"BE_VAULT_ENV=true", "VAULT_ENV_DAEMON=true", "PATH=/usr/bin:/bin", "GOCOVERDIR=" + t.TempDir()}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	r.cmd.Stderr, r.cmd.WaitDelay = r, 10*time.Millisecond
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.(*os.File).SetReadDeadline(time.Now().Add(30 * time.Second))
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Skipf("a process namespace cannot be created: %v", err)
	}
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})
	line, _ := r.stdout.ReadString('\n')
	if _, parent, _ := strings.Cut(line, " "); parent != "1\n" {
		t.Errorf("process and parent %q", line)
	}
	eventually(t, "one child, and no zombie", func() bool { c := children(r.pid()); return len(c) == 1 && !strings.HasSuffix(c[0], "Z") })
	r.signal(syscall.SIGTERM)
	r.says("told")
	r.ends(7)
}

// A program that has dropped root, under a vault-env that runs as root without its capabilities.
func TestAProgramOutOfReach(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed")
	}
	r := &running{t: t, cmd: exec.Command("setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", self(t), "setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "echo ready; sleep 0.5; exit 4")}
	r.cmd.Env = []string{"BE_VAULT_ENV=true", "VAULT_ENV_DAEMON=true", "PATH=/usr/bin:/bin", "GOCOVERDIR=" + t.TempDir()}
	r.cmd.Stderr = r
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.says("ready")
	r.signal(syscall.SIGUSR1, syscall.SIGUSR2)
	r.ends(4)
	r.wantLog("vault-env: warn: cannot send signals to the program, which runs as another user: add the capability KILL to the container")
}

// The daemon has a token in its memory, and the program the same user.
func TestTheProgramCannotReadTheDaemon(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed")
	}
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	dir, err := os.MkdirTemp("", "vault-env-") // where every user can execute it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "vault-env")
	content, _ := os.ReadFile(self(t))
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(exe, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", exe, "sh", "-c",
		`for f in mem environ; do cat /proc/$PPID/$f >/dev/null 2>&1 && echo "$f can be read"; done; cat /proc/$$/environ >/dev/null && echo done`)
	cmd.Env = []string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin", "VAULT_ENV_DAEMON=true", "VAULT_ADDR=" + vault.URL, "VAULT_CACERT_BYTES=" + vault.CaPEM(), "VAULT_TOKEN=" + fake.Token, "P=" + fake.Credentials}
	if e := end(t, cmd); e.status != 0 || e.stdout != "done\n" {
		t.Errorf("%+v", e)
	}
}
