package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

// waiter is a program that reports that it runs, and ends when its input does.
const waiter = `package main

import (
	"io"
	"os"
)

func main() {
	os.Stdout.WriteString("running\n")
	io.Copy(io.Discard, os.Stdin)
}
`

// container is a directory that is the whole file system of a process, if this test may do that: with vault-env, a
// program and a ServiceAccount token.
func (v *realVault) container(t *testing.T, jwt string) (root string, inside func(name string) string) {
	t.Helper()
	root = t.TempDir()
	source := fake.File(t, "main.go", waiter)
	build := exec.Command("go", "build", "-o", filepath.Join(root, "program"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	executable, err := os.ReadFile(v.binary)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"vault-env": executable, "token": []byte(jwt)} {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"tmp", "home"} {
		os.Mkdir(filepath.Join(root, dir), 0o777)
	}
	if os.Getuid() == 0 {
		return root, func(name string) string { return "/" + name }
	}
	return root, func(name string) string { return filepath.Join(root, name) }
}

// listing returns every file below root with its size and time, and the files that contain one of the secrets.
func listing(t *testing.T, root string, secrets ...string) (files, leaks []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files = append(files, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime()))
		if !info.Mode().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				leaks = append(leaks, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, leaks
}

// openFiles returns the open files of a process.
func openFiles(t *testing.T, pid int) (files []string) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	descriptors, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, descriptor := range descriptors {
		file, _ := os.Readlink(filepath.Join(dir, descriptor.Name()))
		files = append(files, file)
	}
	return files
}

// testCanary searches for the secrets: they are in the program's environment and nowhere else.
func (v *realVault) testCanary(t *testing.T) {
	jwt := v.jwt("vault")
	root, inside := v.container(t, jwt)
	ca, err := os.ReadFile(v.caFile())
	if err != nil {
		t.Fatal(err)
	}
	config := v.config(func(c fake.Fields) {
		c["vault"].(fake.Fields)["auth"].(fake.Fields)["tokenPath"] = inside("token")
		c["vault"].(fake.Fields)["tls"] = fake.Fields{"caBundle": string(ca)}
		c["environment"] = fake.Fields{"transit": fake.Fields{"keyID": "shop"}, "fromPaths": []fake.Fields{{"path": "secret/data/shop/p07", "prefix": "P_"}}}
		c["process"] = fake.Fields{"log": fake.Fields{"level": "Debug"}}
	})
	cmd := exec.Command(filepath.Join(root, "vault-env"), "--", inside("program"), "argument-of-the-program")
	cmd.Env = []string{"HOME=" + inside("home"), "TMPDIR=" + inside("tmp"), "GODEBUG=http2debug=2,execwait=2", config, "VAULT_TOKEN=vault:login",
		"A=vault:secret/data/shop/db#password", "B=x ${vault:secret/data/shop/db#${.password | b64enc}}", "C=" + v.encrypt("canary-transit"),
		`D=>>vault:pki/issue/web#private_key#{"common_name":"a.shop.example"}`}
	if os.Getuid() == 0 {
		cmd.Path, cmd.Dir = "/vault-env", "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	before, _ := listing(t, root)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	proc := func(name string) string {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
		if err != nil {
			t.Error(err)
		}
		return string(content)
	}
	environ := strings.Split(proc("environ"), "\x00")
	cmdline, coredump, maps := proc("cmdline"), proc("coredump_filter"), proc("maps")
	files := openFiles(t, cmd.Process.Pid)
	limitsThere := limits(t, fmt.Sprint(cmd.Process.Pid))
	stdin.Close()
	if waited := cmd.Wait(); waited != nil || line != "running\n" {
		t.Fatalf("%v %q %v\n%s", err, line, waited, stderr.String())
	}

	value := func(name string) string {
		i := slices.IndexFunc(environ, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if i < 0 {
			t.Fatalf("%s is not in the program's environment", name)
		}
		return environ[i][len(name)+1:]
	}
	secrets := []string{value("VAULT_TOKEN"), "hunter2", "aHVudGVyMg==", "canary-transit", strings.Split(value("D"), "\n")[1], jwt}
	if value("A") != "hunter2" || value("B") != "x aHVudGVyMg==" || value("C") != "canary-transit" || value("P_k") != "v7" || len(secrets[4]) < 40 {
		t.Fatalf("%q", environ)
	}
	for _, secret := range append(secrets, "argument-of-the-program") {
		if strings.Contains(stderr.String(), secret) {
			t.Errorf("the log contains %q: %s", secret, stderr.String())
		}
	}
	for _, secret := range secrets {
		if strings.Contains(cmdline, secret) {
			t.Errorf("the command line contains %q", secret)
		}
	}
	if want := inside("program") + "\x00argument-of-the-program\x00"; cmdline != want {
		t.Errorf("command line %q; want %q", cmdline, want)
	}
	if !strings.Contains(stderr.String(), "debug: ") {
		t.Errorf("the log is empty: %q", stderr.String())
	}
	for _, open := range files {
		if strings.HasPrefix(open, "socket:") {
			t.Errorf("a connection is left: %q", files)
		}
	}
	if strings.Contains(maps, "vault-env\n") {
		t.Errorf("vault-env is in the program's memory: %s", maps)
	}
	own, _ := os.ReadFile("/proc/self/coredump_filter")
	if coredump != string(own) || limitsThere != limits(t, "self") {
		t.Errorf("core dumps: %q and %q, limits %s", coredump, own, limitsThere)
	}
	after, leaks := listing(t, root, secrets...)
	if !slices.Equal(before, after) {
		t.Errorf("files\n%q\nwere\n%q", after, before)
	}
	if !slices.Equal(leaks, []string{filepath.Join(root, "token")}) {
		t.Errorf("secrets are in %v", leaks)
	}
}
