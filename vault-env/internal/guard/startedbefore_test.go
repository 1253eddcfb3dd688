package guard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/procfs"
)

func TestStartedBefore(t *testing.T) {
	proc := func(processes ...string) procfs.Dir {
		dir := t.TempDir()
		for _, process := range processes { // "PID TICKS CGROUP"
			part := strings.Fields(process)
			if err := os.Mkdir(filepath.Join(dir, part[0]), 0o700); err != nil {
				t.Fatal(err)
			}
			stat := part[0] + " (a) b (c) S 0" + strings.Repeat(" 7", 17) + " " + part[1] + " 7 7\n"
			os.WriteFile(filepath.Join(dir, part[0], "stat"), []byte(stat), 0o600)
			if len(part) > 2 {
				os.WriteFile(filepath.Join(dir, part[0], "cgroup"), []byte("0::"+part[2]+"\n"), 0o600)
			}
		}
		os.Mkdir(filepath.Join(dir, "sys"), 0o700)
		return procfs.Dir(dir)
	}
	for _, c := range []struct {
		name      string
		pid       int
		processes []string
		want      bool
	}{
		{"the container's start", 1, []string{"1 100 /"}, false},
		{"its start, and a hook that runs already", 1, []string{"1 100 /", "9 100 /"}, false},
		{"kubectl exec", 30, []string{"1 100 /", "30 900 /"}, true},
		{"a child of the program", 30, []string{"1 100 /", "20 800 /", "30 900 /"}, true},
		{"a start in a process namespace of the pod", 30, []string{"1 100 /../pause", "12 500 /../other", "30 900 /"}, false},
		{"kubectl exec in one", 40, []string{"1 100 /../pause", "30 900 /", "40 950 /"}, true},
		{"a start in one, and a hook in the same tick", 30, []string{"1 100 /../pause", "30 900 /", "31 900 /"}, false},
		{"kubectl exec in the same tick", 31, []string{"1 100 /../pause", "30 900 /", "31 900 /"}, true},
		{"nothing is known about it", 30, []string{"1 100 /"}, false},
		{"nothing is known about the others", 30, []string{"1 100", "30 900 /"}, false},
	} {
		if got := StartedBefore(proc(c.processes...), c.pid); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if StartedBefore("/nonexistent", 30) {
		t.Error("no procfs")
	}
}
