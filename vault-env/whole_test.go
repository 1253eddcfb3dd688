package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

func TestWholeProcess(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/db", `{"user":"shop","password":"hunter2"}`)
	config, _ := json.Marshal(map[string]any{
		"vault": map[string]any{"address": vault.URL, "tls": map[string]any{"caFile": fake.File(t, "ca", vault.CaPEM())},
			"auth": map[string]any{"role": fake.Role, "tokenPath": fake.File(t, "jwt", fake.JWT)}},
		"environment": map[string]any{"fromPaths": []any{map[string]any{"path": "secret/data/db", "prefix": "DB_"}}},
		"process":     map[string]any{"log": map[string]any{"level": "Debug"}},
	})
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ADDR=mine", "VAULT_ENV_CONFIG=" + string(config), "URL=${vault:secret/data/db#user}:${vault:secret/data/db#password}@db", "VAULT_TOKEN=vault:login"}, "env")
	want := "PATH=/usr/bin:/bin\nVAULT_ADDR=mine\nURL=shop:hunter2@db\nVAULT_TOKEN=" + fake.Token + "\nDB_password=hunter2\nDB_user=shop\n"
	if e.status != 0 || e.stdout != want {
		t.Errorf("\n got %q\nwant %q\n%s", e.stdout, want, e.stderr)
	}
	for _, secret := range []string{"hunter2", fake.Token, fake.JWT} {
		if strings.Contains(e.stderr, secret) {
			t.Errorf("the log contains a secret: %s", e.stderr)
		}
	}
}

// Every name reaches the program once, so that all parts of the program see the same value.
func TestDuplicatesInTheEnvironment(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV1("kv/a", `{"k":"v","OWN":"from the path","OTHER":"from the path"}`)
	self, _ := os.Executable()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	config := vault.Settings(t, func(c fake.Fields) { c["environment"] = fake.Fields{"fromPaths": []fake.Fields{{"path": "kv/a"}}} })
	process, err := os.StartProcess(self, []string{"vault-env", "env"}, &os.ProcAttr{
		// os/exec would drop the duplicates.
		Env:   []string{"BE_VAULT_ENV=true", "PATH=/usr/bin:/bin", "OWN=first", "A=1", "OWN=vault:kv/absent#k", "A=vault:kv/a#k", "B=vault:kv/a#k", "B=2", config},
		Files: []*os.File{nil, write, write},
	})
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	if state, err := process.Wait(); err != nil || state.ExitCode() != 0 {
		t.Errorf("%v, %v", state, err)
	}
	got, _ := io.ReadAll(read)
	if want := "PATH=/usr/bin:/bin\nOWN=first\nA=1\nB=v\nOTHER=from the path\nk=v\n"; string(got) != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}
