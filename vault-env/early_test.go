package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
)

// product returns vault-env as it is shipped: linked with its own entry, which `go test` cannot do for itself.
var product = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vault-env-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "vault-env")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -E vault_env_entry", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// shipped runs vault-env as it is shipped.
func shipped(t *testing.T, env []string, args ...string) ended {
	t.Helper()
	return end(t, shippedCommand(t, env, args...))
}

func shippedCommand(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	file, err := product()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, args...)
	cmd.Env = append([]string{}, env...)
	return cmd
}

// revocations makes a Vault tell when it is asked to revoke the token.
func revocations(vault *fake.Vault) chan struct{} {
	revoked := make(chan struct{}, 10)
	vault.Handle("PUT auth/token/revoke-self", func(w http.ResponseWriter, _ *http.Request) {
		revoked <- struct{}{}
		w.WriteHeader(204)
	})
	return revoked
}

// await waits for a channel, and fails the test if nothing comes.
func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("nothing for a minute")
	}
}

// A start that a signal ends says so in one line, and leaves no token behind; as process 1 as well, for which the kernel
// does nothing.
func TestSignalsBeforeTheProgram(t *testing.T) {
	stages := map[string]struct{ request, delay string }{
		"during the login": {"POST auth/kubernetes/login", "0s"},
		"during a read":    {"GET kv/a", "0s"},
		"during the delay": {"", "10m"},
	}
	statuses := map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGQUIT: 131, syscall.SIGTERM: 143}
	names := map[syscall.Signal]string{syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGTERM: "SIGTERM"}
	for stage, at := range stages {
		for s, status := range statuses {
			for _, mode := range []string{"Exec", "Daemon"} {
				for _, first := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s, %s, process 1: %v", stage, names[s], mode, first), func(t *testing.T) {
						if first && os.Getuid() != 0 {
							t.Skip("only root can create process namespaces")
						}
						vault := fake.NewVault(t)
						vault.KV1("kv/a", `{"k":"v"}`)
						revoked := revocations(vault)
						asked, answer := make(chan struct{}, 10), make(chan struct{})
						if at.request != "" { // what vault-env waits for when the signal arrives
							vault.Handle("GET kv/a", func(_ http.ResponseWriter, r *http.Request) {
								asked <- struct{}{}
								<-r.Context().Done()
							})
						}
						if strings.HasPrefix(at.request, "POST") {
							vault.Handle(at.request, func(w http.ResponseWriter, r *http.Request) {
								asked <- struct{}{}
								<-answer
								vault.Login(w, r)
							})
						}
						config := vault.Settings(t, func(c fake.Fields) {
							c["process"] = fake.Fields{"mode": mode, "delay": at.delay}
							c["terminationMessagePath"] = "/nonexistent/message"
							c["vault"].(fake.Fields)["timeout"] = "10m"
						})
						cmd := shippedCommand(t, []string{"PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}, "echo", "started")
						if first {
							cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
						}
						var said, stdout bytes.Buffer
						cmd.Stderr, cmd.Stdout = &said, &stdout
						if err := cmd.Start(); err != nil {
							t.Fatal(err)
						}
						defer cmd.Process.Kill()
						if at.request != "" {
							await(t, asked)
						} else { // the delay begins when the token is no longer needed
							await(t, revoked)
						}
						cmd.Process.Signal(s)
						if at.request != "" {
							close(answer)
							await(t, revoked)
						}
						cmd.Wait()
						want := "vault-env: error: received " + names[s] + " before the program started: not starting it\n"
						if got := cmd.ProcessState.ExitCode(); got != status || said.String() != want || stdout.Len() > 0 {
							t.Errorf("status %d, stderr %q, stdout %q", got, said.String(), stdout.String())
						}
					})
				}
			}
		}
	}
}

// Nobody answers: the end of the process does not wait for the timeout.
func TestASignalWhileVaultIsAway(t *testing.T) {
	vault := fake.NewVault(t)
	asked := make(chan struct{}, 100)
	vault.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3000")
		w.WriteHeader(503)
		asked <- struct{}{}
	})
	config := vault.Settings(t, func(c fake.Fields) { c["vault"].(fake.Fields)["timeout"] = "1h" })
	cmd := shippedCommand(t, []string{"PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}, "echo", "started")
	stderr, _ := cmd.StderrPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	guard := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer guard.Stop()
	await(t, asked)
	cmd.Process.Signal(syscall.SIGTERM)
	said, _ := io.ReadAll(stderr)
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 143 || !strings.HasSuffix(string(said), "received SIGTERM before the program started: not starting it\n") {
		t.Errorf("%v: %s", cmd.ProcessState, said)
	}
}

// What is ignored at the start is ignored by the program: nohup, and "trap" with an empty command of a shell.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	const tell = `grep SigIgn /proc/self/status`
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v"}`)
	file, err := product()
	if err != nil {
		t.Fatal(err)
	}
	for _, traps := range []string{"", "HUP", "INT QUIT TERM", "HUP INT QUIT TERM USR1 USR2 PIPE ALRM TSTP TTIN TTOU WINCH URG CONT"} {
		for _, mode := range []string{"Exec", "Daemon"} {
			t.Run(mode+" "+traps, func(t *testing.T) {
				if mode == "Daemon" { // needs it to interrupt its own threads
					traps = strings.ReplaceAll(traps, " URG", "")
				}
				trap := ""
				if traps != "" {
					trap = "trap '' " + traps + "; "
				}
				config := vault.Settings(t, func(c fake.Fields) { c["process"] = fake.Fields{"mode": mode} })
				run := func(script string, args ...string) ended {
					cmd := exec.Command("sh", append([]string{"-c", trap + script, "sh"}, args...)...)
					cmd.Env = []string{"PATH=/usr/bin:/bin", config, "X=vault:kv/a#k"}
					return end(t, cmd)
				}
				want, got := run("exec "+tell), run(`exec "$@"`, append([]string{file}, strings.Fields(tell)...)...)
				if got.status != 0 || got.stdout != want.stdout || got.stderr != "" {
					t.Errorf("%+v; want %q", got, want.stdout)
				}
			})
		}
	}
}

// The program ends in a flood of signals, and vault-env notices. VAULT_ENV_TEST_FLOODS sets how often.
func TestTheEndOfTheProgramInAFloodOfSignals(t *testing.T) {
	runs := 3
	fmt.Sscan(os.Getenv("VAULT_ENV_TEST_FLOODS"), &runs)
	for range runs {
		cmd := shippedCommand(t, []string{"PATH=/usr/bin:/bin", "VAULT_ENV_DAEMON=true"}, "sh", "-c", "trap : USR1 USR2 ALRM WINCH; echo ready; read x; exit 7")
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(out, make([]byte, len("ready\n")))
		ended := make(chan struct{})
		var floods sync.WaitGroup
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH} {
			floods.Go(func() {
				for {
					select {
					case <-ended:
						return
					default:
						cmd.Process.Signal(s)
					}
				}
			})
		}
		guard := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		io.WriteString(in, "x\n")
		io.Copy(io.Discard, out)
		cmd.Wait()
		guard.Stop()
		close(ended)
		floods.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 7 {
			t.Fatalf("status %d", got)
		}
	}
}
