package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/signals"
)

// tellSignals is a program that says "ready" and then each signal it receives, the last of which is SIGTERM.
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

// startDaemon starts vault-env in daemon mode by Bank-Vaults' variable, or as the environment says. Tests' own
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

// endAll ends vault-env, its program and what that has started: the kernel ends the program with vault-env, but not the
// program's children, which are in its process group.
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

// says waits for a line of the program.
func (r *running) says(want string) {
	r.t.Helper()
	if got, err := r.stdout.ReadString('\n'); got != want+"\n" {
		r.t.Fatalf("the program says %q (%v); want %q; log:\n%s", got, err, want, r.log())
	}
}

// ends waits for vault-env's end.
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

// eventually waits for something that needs a moment.
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

// children gives the processes whose parent is pid, with their state: "123 S".
func children(pid int) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		// "pid (name) state ppid …", and the name may hold anything.
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

// program gives the process of the program.
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

var daemonMode = []string{"VAULT_ENV_DAEMON=true"}

func TestDaemonGivesTheExitStatus(t *testing.T) {
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
		"no program":      {script(t, 0o755, "hello"), failure.CannotRun, "neither a program for this machine"},
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
			// Not forwarded. Were it, the next one would not be the next that the program says.
			if s != syscall.SIGTTIN && s != syscall.SIGTTOU { // which stop whoever does not catch them
				r.signal(s)
			}
		default:
			r.signal(s)
			r.says(strconv.Itoa(int(s)))
		}
	}
	// All of them at once, none lost but those of which one is on its way already.
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
	t.Run("the program has a group of its own, in the same session", func(t *testing.T) {
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
	t.Run("stopping and continuing takes both", func(t *testing.T) {
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
	t.Run("a program that stops itself stops nobody else", func(t *testing.T) {
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
	t.Run("open files are passed on as in exec mode", func(t *testing.T) {
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

// As process 1, where the kernel's defaults are others: no signal ends it, and everybody's orphans are its own.
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
		t.Skipf("there can be no process 1 here: %v", err)
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

// A program that has given up root, under a vault-env that is root without its capabilities.
func TestAProgramOutOfReach(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("there is no setpriv here")
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
	r.wantLog("vault-env: warn: the program runs as another user, and signals cannot be sent to it: give the container the capability KILL")
}

// The daemon has a token in its memory, and the program the same user.
func TestTheProgramCannotReadTheDaemon(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("there is no setpriv here")
	}
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	dir, err := os.MkdirTemp("", "vault-env-") // where everybody can execute it
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

// daemonConfig is what the webhook writes for a policy with daemon mode.
func daemonConfig(t *testing.T, vault *fake.Vault, process map[string]any, more ...string) []string {
	process["mode"] = "Daemon"
	config, err := json.Marshal(map[string]any{
		"vault": map[string]any{"address": vault.URL, "tls": map[string]any{"caFile": fake.File(t, "ca", vault.CaPEM())},
			"auth": map[string]any{"role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}},
		"process": process,
	})
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"VAULT_ENV_CONFIG=" + string(config)}, more...)
}

func (r *running) wantLog(patterns ...string) {
	r.t.Helper()
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(r.log(), "warning: GOCOVERDIR not set, no coverage data emitted\n", ""), "\n"), "\n")
	if len(patterns) == 0 {
		patterns = []string{""}
	}
	if len(lines) != len(patterns) {
		r.t.Fatalf("log:\n%s\nwant %d lines", r.log(), len(patterns))
	}
	for i, pattern := range patterns {
		if !regexp.MustCompile("^" + pattern + "$").MatchString(lines[i]) {
			r.t.Errorf("log line %q; want %q", lines[i], pattern)
		}
	}
	for _, secret := range []string{fake.Token, fake.JWT, "hunter2", fake.LeaseID} {
		if strings.Contains(r.log(), secret) {
			r.t.Errorf("the log says a secret: %s", r.log())
		}
	}
}

func TestDaemonsEnvironmentIsExecsEnvironment(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/db", `{"user":"shop","password":"hunter2"}`)
	vault.Lend(600, true)
	outputs := map[string]string{}
	for _, mode := range []string{"Exec", "Daemon"} {
		env := daemonConfig(t, vault, map[string]any{}, "A=1", "URL=${vault:secret/data/db#user}@db", "P="+fake.Credentials, "VAULT_ADDR=mine", "A=2")
		env[0] = strings.Replace(env[0], `"mode":"Daemon"`, `"mode":"`+mode+`"`, 1)
		e := vaultEnv(t, append(env, "PATH=/usr/bin:/bin"), "cat", "/proc/self/environ")
		if e.status != 0 {
			t.Fatalf("%+v", e)
		}
		outputs[mode] = e.stdout
	}
	if outputs["Exec"] != outputs["Daemon"] || !strings.Contains(outputs["Daemon"], "URL=shop@db\x00P=hunter2\x00") || strings.Contains(outputs["Daemon"], "VAULT_ENV_CONFIG") {
		t.Errorf("%q", outputs)
	}
}

func TestSignalsBeforeTheStart(t *testing.T) {
	hanging := func(t *testing.T) (*fake.Vault, chan struct{}) {
		vault := fake.NewVault(t)
		release := make(chan struct{})
		vault.Lend(600, true)
		vault.Handle("GET database/creds/shop", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				io.WriteString(w, `{"lease_id":"`+fake.LeaseID+`","lease_duration":600,"renewable":true,"data":{"password":"hunter2"}}`)
			case <-r.Context().Done():
			}
		})
		return vault, release
	}
	asked := func(vault *fake.Vault) func() bool {
		return func() bool { return vault.Count("GET database/creds/shop") == 1 }
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run("one that ends it: "+signals.Name(s), func(t *testing.T) {
			vault, _ := hanging(t)
			r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "echo", "started")
			eventually(t, "Vault is asked", asked(vault))
			r.signal(s)
			out, _ := io.ReadAll(r.stdout)
			r.ends(128 + int(s))
			if r.wantLog("vault-env: error: " + signals.Name(s) + " came before the program was started: it is not started"); len(out) > 0 {
				t.Errorf("the program says %q", out)
			}
		})
	}
	t.Run("others wait for the program", func(t *testing.T) {
		vault, release := hanging(t)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "sleep", "60")
		eventually(t, "Vault is asked", asked(vault))
		r.signal(syscall.SIGWINCH, syscall.SIGCHLD, syscall.SIGUSR1)
		close(release)
		r.ends(128 + int(syscall.SIGUSR1)) // no program would have had the time to catch it
	})
	t.Run("in the delay", func(t *testing.T) {
		vault := fake.NewVault(t)
		vault.Lend(600, true)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{"delay": "1m"}, "P="+fake.Credentials), "echo", "started")
		eventually(t, "Vault is asked", asked(vault))
		time.Sleep(100 * time.Millisecond)
		r.signal(syscall.SIGTERM)
		r.ends(143)
		if r.wantLog("vault-env: error: SIGTERM came before .*"); vault.Count("PUT auth/token/revoke-self") != 1 {
			t.Errorf("what was lent is not given back: %v", vault.Seen())
		}
	})
	t.Run("the delay passes", func(t *testing.T) {
		vault := fake.NewVault(t)
		start := time.Now()
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{"delay": "300ms"}), "echo", "started")
		r.says("started")
		if r.ends(0); time.Since(start) < 300*time.Millisecond {
			t.Error("it does not")
		}
	})
}

func TestDaemonRenews(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(3, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials, "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "two renewals", func() bool { return vault.Count("PUT sys/leases/renew") >= 2 })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if seen := vault.Seen(); seen[len(seen)-1] != "PUT auth/token/revoke-self" || vault.Count("PUT auth/token/renew-self") != 0 {
		t.Errorf("%v", seen)
	}
	r.wantLog()
}

func TestDaemonWithoutLeases(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.KV1("kv/plain", `{"key":"one"}`) // with a lease_duration that is no lease
	vault.KV2("secret/data/db", `{"password":"hunter2"}`)
	vault.Says("PUT auth/token/revoke-self", 204, "")
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "A=vault:kv/plain#key", "B=vault:secret/data/db#password", "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "no connection is held", func() bool { return vault.Connections() == 0 })
	requests := len(vault.Seen())
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if len(vault.Seen()) != requests || vault.Count("PUT sys/leases/renew") != 0 {
		t.Errorf("%v", vault.Seen())
	}
}

func TestDaemonKeepsTheProgramsToken(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":2,"renewable":true}}`)
	})
	vault.Says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":2,"renewable":true}}`)
	vault.Says("PUT auth/token/revoke-self", 204, "")
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "VAULT_TOKEN=vault:login", "BE_PROGRAM=true"), self(t))
	r.says("ready")
	eventually(t, "two renewals", func() bool { return vault.Count("PUT auth/token/renew-self") >= 2 })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	if vault.Count("PUT auth/token/revoke-self") != 1 {
		t.Errorf("%v", vault.Seen())
	}
}

func TestTheEndOfALease(t *testing.T) {
	ending := `vault-env: warn: the lease of "database/creds/shop" ends in [12]s \(it is not renewable\)`
	start := func(t *testing.T, leaseEnd map[string]any, command ...string) (*running, *fake.Vault) {
		vault := fake.NewVault(t)
		vault.Lend(3, false)
		vault.Says("PUT sys/leases/renew", 400, `{"errors":["lease is not renewable"]}`)
		return startDaemon(t, daemonConfig(t, vault, map[string]any{"leaseEnd": leaseEnd}, "P="+fake.Credentials), command...), vault
	}
	t.Run("the program is ended", func(t *testing.T) {
		t.Parallel()
		r, vault := start(t, map[string]any{}, "sh", "-c", `trap "exit 5" TERM; while :; do sleep 0.01; done`)
		r.ends(5)
		r.wantLog(ending + `: the program gets SIGTERM, and SIGKILL after 10s, to be started again with what is valid`)
		if vault.Count("PUT auth/token/revoke-self") != 1 {
			t.Errorf("%v", vault.Seen())
		}
	})
	t.Run("by another signal", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"signal": "SIGQUIT"}, "sh", "-c", `trap "" TERM; trap "exit 6" QUIT; while :; do sleep 0.01; done`)
		r.ends(6)
	})
	t.Run("and, if it goes on, killed, with what it has started", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"gracePeriod": "500ms"}, "sh", "-c", `trap "" TERM; (while :; do sleep 0.01; done) & echo $!; while :; do sleep 0.01; done`)
		line, _ := r.stdout.ReadString('\n')
		child, _ := strconv.Atoi(strings.TrimSpace(line))
		r.ends(137)
		r.wantLog(`.*SIGKILL after 500ms.*`, "vault-env: warn: the program has not ended within 500ms: SIGKILL")
		eventually(t, "the child is gone", func() bool { s := stateOf(child); return child > 0 && (s == "gone" || s == "Z") })
	})
	t.Run("or left alone", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t, map[string]any{"action": "Keep"}, "sh", "-c", `sleep 4; exit 9`)
		r.ends(9)
		r.wantLog(ending + `: the program goes on with what no longer is valid`)
	})
	t.Run("revoked", func(t *testing.T) {
		t.Parallel()
		vault := fake.NewVault(t)
		vault.Lend(2, true)
		vault.Says("PUT sys/leases/renew", 403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`)
		r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "sleep", "60")
		r.ends(143)
		r.wantLog(`vault-env: warn: the lease of "database/creds/shop" has ended \(the token is not valid any more\): the program gets SIGTERM.*`)
	})
}

func TestDaemonOutlivesVault(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(2, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials, "BE_PROGRAM=true"), self(t))
	r.says("ready")
	vault.Says("PUT sys/leases/renew", 503, `{"errors":["Vault is sealed"]}`)
	eventually(t, "the log says that Vault is away and the lease over", func() bool { return strings.Contains(r.log(), "1 of 2 leases have ended meanwhile") })
	r.signal(syscall.SIGUSR1)
	r.says("10")
	vault.Lend(2, true)
	eventually(t, "the log says that Vault is back", func() bool { return strings.Contains(r.log(), "answers again") })
	r.signal(syscall.SIGTERM)
	r.ends(0)
	r.wantLog(`vault-env: warn: Vault at https://127.0.0.1:\d+ does not answer \(503 Service Unavailable: Vault is sealed\): trying again; the first lease ends in [01]s`,
		`vault-env: warn: Vault at \S+ has not answered for \ds \(503 .*\): trying again; the program goes on although 1 of 2 leases have ended meanwhile`,
		`vault-env: info: Vault at \S+ answers again after \ds`)
}

// The end of the program waits for a Vault that is away no longer than it must.
func TestTheEndIsNotHeldUp(t *testing.T) {
	t.Parallel()
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	vault.Handle("PUT auth/token/revoke-self", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), "true")
	start := time.Now()
	r.ends(0)
	if took := time.Since(start); took > 2*time.Second+3*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAFailedStartGivesBack(t *testing.T) {
	vault := fake.NewVault(t)
	vault.Lend(600, true)
	r := startDaemon(t, daemonConfig(t, vault, map[string]any{}, "P="+fake.Credentials), script(t, 0o755, "hello"))
	r.ends(failure.CannotRun)
	if vault.Count("PUT auth/token/revoke-self") != 1 {
		t.Errorf("%v", vault.Seen())
	}
}
