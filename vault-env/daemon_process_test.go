package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tellSignals is a program that prints "ready", then each signal that it receives, up to SIGTERM.
func tellSignals() {
	c := make(chan os.Signal, 100)
	signal.Notify(c)
	fmt.Println("ready")
	for s := range c {
		switch s {
		case syscall.SIGURG: // Go's own
		case syscall.SIGTERM:
			fmt.Println(int(syscall.SIGTERM))
			os.Exit(0)
		default:
			fmt.Println(int(s.(syscall.Signal)))
		}
	}
}

// running is a vault-env in daemon mode.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	mu     sync.Mutex
	stderr bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.Write(b)
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startDaemon starts vault-env in daemon mode, with Bank-Vaults' variable or as the environment says. The tests' own
// variables come first, so that both vault-env and the program get them.
func startDaemon(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(self(t), args...)}
	r.cmd.Env = append([]string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin", "GOCOVERDIR=" + t.TempDir()}, env...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stderr, r.cmd.WaitDelay = r, 10*time.Millisecond
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.(*os.File).SetReadDeadline(time.Now().Add(30 * time.Second))
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.endAll)
	return r
}

// endAll kills vault-env, its program and the program's children: the kernel kills the program with vault-env, but not
// its children, which are in its process group.
func (r *running) endAll() {
	for _, child := range children(r.pid()) {
		if program, err := strconv.Atoi(strings.Fields(child)[0]); err == nil && program > 1 {
			syscall.Kill(-program, syscall.SIGKILL)
		}
	}
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

func (r *running) pid() int { return r.cmd.Process.Pid }

func (r *running) signal(all ...syscall.Signal) {
	r.t.Helper()
	for _, s := range all {
		if err := syscall.Kill(r.pid(), s); err != nil {
			r.t.Fatal(err)
		}
	}
}

// says waits for a line from the program.
func (r *running) says(want string) {
	r.t.Helper()
	if got, err := r.stdout.ReadString('\n'); got != want+"\n" {
		r.t.Fatalf("the program prints %q (%v); want %q; log:\n%s", got, err, want, r.log())
	}
}

// ends waits until vault-env has ended.
func (r *running) ends(status int) {
	r.t.Helper()
	if _, err := io.Copy(io.Discard, r.stdout); err != nil {
		r.t.Fatalf("it does not end (%v), its children are %v; log:\n%s", err, children(r.pid()), r.log())
	}
	r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		r.t.Errorf("exit status %d; want %d; log:\n%s", got, status, r.log())
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not after ten seconds: %s", what)
}

// children returns the processes whose parent is pid, with their state: "123 S".
func children(pid int) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		// "pid (name) state ppid …", and the name may contain anything.
		number, _, _ := strings.Cut(string(stat), " ")
		if i := bytes.LastIndexByte(stat, ')'); i > 0 {
			if fields := strings.Fields(string(stat[i+1:])); len(fields) > 2 && fields[1] == strconv.Itoa(pid) {
				found = append(found, number+" "+fields[0])
			}
		}
	}
	return found
}

func stateOf(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(stat, ')'); i > 0 {
		return strings.Fields(string(stat[i+1:]))[0]
	}
	return "gone"
}

// program returns the program's process ID.
func (r *running) program() int {
	r.t.Helper()
	var pid int
	eventually(r.t, "one child", func() bool {
		c := children(r.pid())
		if len(c) == 1 {
			pid, _ = strconv.Atoi(strings.Fields(c[0])[0])
		}
		return len(c) == 1
	})
	return pid
}
