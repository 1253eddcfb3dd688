package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/launch"
)

// TestMain turns the test executable into vault-env, for tests that need a process to become another, or into a program
// that reports what it receives from vault-env.
func TestMain(m *testing.M) {
	if os.Getenv("BE_VAULT_ENV") == "true" {
		os.Unsetenv("BE_VAULT_ENV")
		if os.Getenv("BE_IN_CLOUD") == "true" {
			// The system's CAs are read once: as if SSL_CERT_FILE were those of the image.
			os.Unsetenv("BE_IN_CLOUD")
			x509.SystemCertPool()
		}
		main()
	}
	log.SetOutput(io.Discard) // as main does
	if os.Getenv("BE_PROGRAM") == "true" {
		tellSignals()
	}
	os.Exit(m.Run())
}

type ended struct {
	status         int
	stdout, stderr string
	pid            int
}

// vaultEnv runs vault-env with only the given environment.
func vaultEnv(t *testing.T, env []string, args ...string) ended {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append([]string{"BE_VAULT_ENV=true"}, env...)
	return end(t, cmd)
}

func end(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// `go test -cover` makes its executables print this.
	said := strings.ReplaceAll(stderr.String(), "warning: GOCOVERDIR not set, no coverage data emitted\n", "")
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), said, cmd.Process.Pid}
}

func (e ended) wantLine(t *testing.T, status int, part string) {
	t.Helper()
	if problem := e.lineProblem(status, part); problem != "" {
		t.Error(problem)
	}
}

// lineProblem returns how this differs from a status, and one line that contains part; nothing if it does not.
func (e ended) lineProblem(status int, part string) string {
	if e.status != status || !strings.Contains(e.stderr, part) || strings.Count(e.stderr, "\n") != 1 || e.stdout != "" {
		return fmt.Sprintf("status %d, stdout %q, stderr %q; want %d and one line with %q", e.status, e.stdout, e.stderr, status, part)
	}
	return ""
}

// afterWarning returns what was said without the warning that Vault has not answered the first time, if there is one.
func (e ended) afterWarning() ended {
	first, rest, _ := strings.Cut(e.stderr, "\n")
	if strings.HasPrefix(first, "vault-env: warn: Vault at ") && strings.Contains(first, "; trying again for up to ") {
		e.stderr = rest
	}
	return e
}

func script(t *testing.T, mode os.FileMode, content string) string {
	path := fake.File(t, "script", content)
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBecomesTheProgram(t *testing.T) {
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "A=1"}, "sh", "-c", `echo "$$ $0 $1 $A"; echo err >&2; exit 42`, "name", "arg with space")
	if want := strconv.Itoa(e.pid) + " name arg with space 1\n"; e.status != 42 || e.stdout != want || e.stderr != "err\n" {
		t.Errorf("got %+v; want stdout %q", e, want)
	}
	if e := vaultEnv(t, []string{"PATH=/usr/bin:/bin"}, "--", "sh", "-c", "kill -TERM $$"); e.status != -1 {
		t.Errorf("a signal does not end it: %+v", e)
	}
	if e := vaultEnv(t, nil, "sh", "-c", "exit 3"); e.status != 3 {
		t.Errorf("without PATH: %+v", e)
	}
	if e := vaultEnv(t, []string{"PATH=/usr/bin:/bin"}, "env"); e.stdout != "PATH=/usr/bin:/bin\n" {
		t.Errorf("environment %q", e.stdout)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, failure.Usage, "no command given"},
		{[]string{"--"}, failure.Usage, `no command given after "--"`},
		{[]string{"--verison"}, failure.Usage, "unknown option"},
		{[]string{"-c", "x"}, failure.Usage, "unknown option"},
		{[]string{""}, failure.Usage, "unknown option"},
		{[]string{"--", ""}, failure.NotFound, "the command is empty"},
		{[]string{"--install"}, failure.Usage, "--install DIR"},
		{[]string{"--install", "a", "b"}, failure.Usage, "--install DIR"},
		{[]string{"--version", "x"}, failure.Usage, "unknown option"},
		{[]string{"--", "--version"}, failure.NotFound, `"--version" is not in PATH`},
	} {
		vaultEnv(t, []string{"PATH=/usr/bin:/bin"}, c.args...).wantLine(t, c.status, c.says)
	}
	if e := vaultEnv(t, nil, "--version"); e.status != 0 || !strings.HasPrefix(e.stdout, "vault-env dev (go") || e.stderr != "" {
		t.Errorf("--version: %+v", e)
	}
	if e := vaultEnv(t, nil, "--help"); e.status != 0 || !strings.Contains(e.stdout, "--install DIR") || e.stderr != "" {
		t.Errorf("--help: %+v", e)
	}
}

func TestProgramsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, path, command string
		status              int
		says                string
	}{
		{"not in PATH", "/usr/bin", "no-such-program", failure.NotFound, `the command "no-such-program" is not in PATH`},
		{"no such file", "/usr/bin", "/no/such", failure.NotFound, `the file "/no/such" does not exist`},
		{"below a file", "/usr/bin", "/etc/passwd/x", failure.NotFound, `the file "/etc/passwd/x" does not exist`},
		{"a directory", "/usr/bin", dir, failure.CannotRun, "it is a directory"},
		{"not executable", "/usr/bin", script(t, 0o644, "#!/bin/sh\n"), failure.CannotRun, "permission denied"},
		{"not executable, in PATH", filepath.Dir(script(t, 0o644, "#!/bin/sh\n")), "script", failure.CannotRun, "permission denied"},
		{"no interpreter", "/usr/bin", script(t, 0o755, "#!/no/such/interpreter\n"), failure.CannotRun, "its interpreter or loader is not in the image"},
		{"neither program nor script", "/usr/bin", script(t, 0o755, "hello"), failure.CannotRun, "it is neither a program for this architecture"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The program is looked up before anything else that could fail.
			env := []string{"PATH=" + c.path}
			if c.status == failure.NotFound {
				env = append(env, "VAULT_ADDR=https://127.0.0.1:1", "X=vault:a#b")
			}
			vaultEnv(t, env, c.command).wantLine(t, c.status, c.says)
		})
	}
	t.Run("a file that cannot be executed is skipped for one that can", func(t *testing.T) {
		cannot, can := script(t, 0o644, "#!/bin/sh\n"), script(t, 0o755, "#!/bin/sh\nexit 7\n")
		if e := vaultEnv(t, []string{"PATH=/nowhere:" + filepath.Dir(cannot) + ":" + filepath.Dir(can)}, "script"); e.status != 7 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("an environment that is too long", func(t *testing.T) {
		env := []string{"PATH=/bin"}
		for i := range 100 {
			env = append(env, strconv.Itoa(i)+"="+strings.Repeat("x", 100000))
		}
		err := launch.Replace("/bin/true", []string{"true"}, env)
		if err.Status != failure.CannotRun || !strings.Contains(err.Message, "longer than Linux allows") {
			t.Errorf("%+v", err)
		}
	})
	t.Run("a NUL byte in an argument", func(t *testing.T) {
		if f := launch.Replace("/bin/true", []string{"true", "\x00"}, nil); !strings.Contains(f.Message, "NUL byte") {
			t.Errorf("%+v", f)
		}
	})
}

func TestFailuresAreOneLine(t *testing.T) {
	config := `{"vault":{"address":"https://127.0.0.1:1","timeout":"100ms","auth":{"role":"r","tokenPath":"/nonexistent"}}`
	path := "PATH=/usr/bin:/bin"
	t.Run("text", func(t *testing.T) {
		e := vaultEnv(t, []string{path, "X=vault:a#b", "VAULT_ENV_CONFIG=" + config + "}"}, "echo", "started")
		e.wantLine(t, failure.Settings, "vault-env: error: the ServiceAccount token /nonexistent cannot be read")
	})
	t.Run("JSON", func(t *testing.T) {
		e := vaultEnv(t, []string{path, "X=vault:a/b", "VAULT_ENV_CONFIG=" + config + `,"process":{"log":{"format":"JSON"}}}`}, "echo", "started")
		var line struct {
			Time       time.Time
			Level, App string
			Message    string `json:"msg"`
		}
		if err := json.Unmarshal([]byte(e.stderr), &line); err != nil {
			t.Fatalf("%q: %v", e.stderr, err)
		}
		if line.Level != "error" || line.App != "vault-env" || !strings.HasPrefix(line.Message, "X: malformed reference at column 10") || time.Since(line.Time) > time.Minute || e.status != failure.Settings {
			t.Errorf("%+v", e)
		}
	})
	t.Run("JSON, if the settings themselves are wrong", func(t *testing.T) {
		e := vaultEnv(t, []string{path, `VAULT_ENV_CONFIG={"process":{"log":{"format":"JSON"}}}`}, "echo", "started")
		e.wantLine(t, failure.Settings, `"msg":"VAULT_ENV_CONFIG: vault.address is missing`)
	})
	t.Run("settings are checked even if there is nothing to resolve", func(t *testing.T) {
		vaultEnv(t, []string{path, `VAULT_ENV_CONFIG={"vault":{"address":"https://v","auth":{"role":"r"}},"vualt":{}}`}, "echo", "started").wantLine(t, failure.Settings, "unknown key vualt")
	})
	t.Run("line breaks in a name", func(t *testing.T) {
		vaultEnv(t, []string{path, "X=vault:a#b", "VAULT_ENV_CONFIG=" + config + "}"}, "a\nb").wantLine(t, failure.NotFound, `"a b" is not in PATH`)
	})
}

func TestQuietIfAllIsWell(t *testing.T) {
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ADDR=https://x", "X=$${vault:a#b}"}, "env")
	if e.status != 0 || e.stderr != "" || e.stdout != "PATH=/usr/bin:/bin\nX=${vault:a#b}\n" {
		t.Errorf("%+v", e)
	}
}

func TestLogLevels(t *testing.T) {
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_MFA=x"}, "true")
	if e.stderr != "vault-env: warn: VAULT_MFA is not supported and is ignored\n" {
		t.Errorf("%q", e.stderr)
	}
	if e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_MFA=x", "VAULT_LOG_LEVEL=error"}, "true"); e.stderr != "" {
		t.Errorf("%q", e.stderr)
	}
}

func TestDelay(t *testing.T) {
	start := time.Now()
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ENV_DELAY=300ms"}, "true")
	if took := time.Since(start); e.status != 0 || took < 300*time.Millisecond {
		t.Errorf("%+v after %s", e, took)
	}
}

func TestInstall(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 2 { // again over itself
		if e := vaultEnv(t, nil, "--install", dir); e.status != 0 || e.stdout+e.stderr != "" {
			t.Fatalf("%+v", e)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	installed := filepath.Join(dir, "vault-env")
	info, err := os.Stat(installed)
	if err != nil || info.Mode() != 0o555 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	want, _ := os.ReadFile(self)
	if got, _ := os.ReadFile(installed); !bytes.Equal(got, want) {
		t.Error("the copy differs")
	}
	cmd := exec.Command(installed, "--version")
	cmd.Env = []string{"BE_VAULT_ENV=true"}
	if e := end(t, cmd); e.status != 0 {
		t.Errorf("%+v", e)
	}

	vaultEnv(t, nil, "--install", "/no/such/dir").wantLine(t, failure.Install, "cannot write to /no/such/dir: no such file or directory")
	os.Mkdir(filepath.Join(dir, "x"), 0o755)
	os.Mkdir(filepath.Join(dir, "x", "vault-env"), 0o755)
	vaultEnv(t, nil, "--install", filepath.Join(dir, "x")).wantLine(t, failure.Install, "cannot be renamed to vault-env")
	if entries, _ := os.ReadDir(filepath.Join(dir, "x")); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
