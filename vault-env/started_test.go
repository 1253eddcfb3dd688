package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// TestStarted asks, as a startup probe does, while vault-env waits for Vault and when its program runs.
func TestStarted(t *testing.T) {
	dir := t.TempDir()
	if e := vaultEnv(t, nil, "--install", dir); e.status != 0 {
		t.Fatalf("%+v", e)
	}
	executable := filepath.Join(dir, "vault-env")
	probe := func() ended {
		cmd := exec.Command(executable, "--started")
		cmd.Env = []string{"BE_VAULT_ENV=true"}
		return end(t, cmd)
	}
	for _, mode := range []string{"Exec", "Daemon"} {
		t.Run(mode, func(t *testing.T) {
			asked, answer := make(chan bool, 1), make(chan bool)
			v := fake.NewVault(t)
			v.Handle("GET secret/data/shop/db", func(w http.ResponseWriter, _ *http.Request) {
				asked <- true
				<-answer
				w.Header().Set("Content-Type", "application/json")
				w.Write([]byte(fake.KV2Answer(`{"password":"s3cr3t"}`, `"deletion_time":"","destroyed":false`)))
			})
			config := v.Settings(t, func(f fake.Fields) { f["process"] = fake.Fields{"mode": mode} })
			cmd := exec.Command(executable, "--", "sh", "-c", "echo ready; read line")
			cmd.Env = []string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin", "X=vault:secret/data/shop/db#password", config}
			cmd.Stderr = os.Stderr
			stdin, _ := cmd.StdinPipe()
			stdout, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			select {
			case <-asked:
			case <-time.After(20 * time.Second):
				t.Fatal("vault-env does not ask Vault")
			}
			probe().wantLine(t, failure.NotYet, "the program has not been started yet")
			close(answer)
			if _, err := stdout.Read(make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			if e := probe(); e.status != 0 || e.stdout != "" || e.stderr != "" {
				t.Errorf("%+v", e)
			}
			stdin.Close()
			cmd.Wait()
		})
	}
	cmd := exec.Command(executable, "--started", "x")
	cmd.Env = []string{"BE_VAULT_ENV=true"}
	end(t, cmd).wantLine(t, failure.Usage, "without arguments")
}
