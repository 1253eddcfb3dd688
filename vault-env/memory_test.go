package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

// limited returns the folder of a new cgroup with a limit on its memory. It skips the test by name where there can be none.
func limited(t *testing.T, bytes int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("the limit on memory is not tested: only root can create cgroups")
	}
	content, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(content)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if part[1] == "memory" {
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if part[1] != "" {
			continue
		}
		for _, parent := range []string{filepath.Join(root, part[2]), root} {
			dir := filepath.Join(parent, fmt.Sprintf("vault-env-test-%d", os.Getpid()))
			if os.Mkdir(dir, 0o755) != nil {
				continue
			}
			t.Cleanup(func() { os.Remove(dir) })
			if os.WriteFile(filepath.Join(dir, file), fmt.Append(nil, bytes), 0o644) == nil {
				return dir
			}
		}
	}
	t.Skip("the limit on memory is not tested: no cgroup with a memory controller can be created here")
	return ""
}

func TestLittleMemory(t *testing.T) {
	const secrets = 30
	for _, c := range []struct {
		name           string
		keys, refersTo int // keys of each secret, of 100 kB together
		count          int // of variables
	}{
		{"one key of ten", 10, 1, secrets},
		{"whole secrets, as many as an environment holds", 1, 1, 18},
	} {
		for _, mode := range []string{"Exec", "Daemon"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				vault := fake.NewVault(t)
				config := vault.Settings(t, func(f fake.Fields) {
					f["process"] = fake.Fields{"mode": mode}
					f["vault"].(fake.Fields)["timeout"] = "60s"
				})
				env := []string{"PATH=/usr/bin:/bin", config}
				for i := range c.count {
					var data []string
					for k := range c.keys {
						data = append(data, fmt.Sprintf(`"k%d":%q`, k, strings.Repeat("x", 100_000/c.keys)))
					}
					vault.KV2(fmt.Sprintf("secret/data/s%d", i), "{"+strings.Join(data, ",")+"}")
					env = append(env, fmt.Sprintf("X%d=vault:secret/data/s%d#k0", i, i))
				}
				file, err := product()
				if err != nil {
					t.Fatal(err)
				}
				if other := os.Getenv("VAULT_ENV_TEST_OTHER"); other != "" {
					file = other
				}
				dir := limited(t, 16<<20)
				cmd := exec.Command("sh", "-c", `echo $$ > "$1/cgroup.procs"; shift; exec "$@"`, "sh", dir, file, "true")
				cmd.Env = env
				var said bytes.Buffer
				cmd.Stderr = &said
				if err := cmd.Run(); err != nil || said.Len() > 0 {
					t.Errorf("%v: %s", err, said.String())
				}
				peak, _ := os.ReadFile(dir + "/memory.max_usage_in_bytes")
				fail, _ := os.ReadFile(dir + "/memory.failcnt")
				t.Logf("peak %s, fails %s", bytes.TrimSpace(peak), bytes.TrimSpace(fail))
			})
		}
	}
}
