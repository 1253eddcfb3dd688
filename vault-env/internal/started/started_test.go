package started

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/procfs"
)

const (
	own       = "/"
	neighbour = "/../other"
	pause     = "/../pause"
	program   = "/vault-env/vault-env"
)

// process is one of a fake procfs; its parent is 0 if somebody outside has started it.
type process struct {
	pid, parent int
	cgroup      string
	arguments   string // separated by spaces
}

func write(t *testing.T, processes []process) procfs.Dir {
	dir := t.TempDir()
	for _, p := range processes {
		place := filepath.Join(dir, fmt.Sprint(p.pid))
		if err := os.Mkdir(place, 0o700); err != nil {
			t.Fatal(err)
		}
		line := strings.ReplaceAll(p.arguments, " ", "\x00")
		if line != "" {
			line += "\x00"
		}
		for name, content := range map[string]string{
			"cgroup":  "0::" + p.cgroup + "\n",
			"cmdline": line,
			"stat":    fmt.Sprintf("%d (a) b (c) S %d%s\n", p.pid, p.parent, strings.Repeat(" 7", 30)),
		} {
			if err := os.WriteFile(filepath.Join(place, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sys"), 0o700); err != nil {
		t.Fatal(err)
	}
	return procfs.Dir(dir)
}

func TestProgramRuns(t *testing.T) {
	const self = 40
	probe := process{self, 0, own, program + " --started"}
	for _, c := range []struct {
		name      string
		processes []process
		want      bool
	}{
		{"vault-env asks", []process{{1, 0, own, program + " -- shop serve"}, probe}, false},
		{"the program has taken its place", []process{{1, 0, own, "shop serve"}, probe}, true},
		{"a program with children", []process{{1, 0, own, "sh -c x"}, {7, 1, own, "shop serve"}, probe}, true},
		{"a daemon that asks", []process{{1, 0, own, program + " -- shop serve"}, {9, 0, own, "sh"}, probe}, false},
		{"a daemon with its program", []process{{1, 0, own, program + " -- shop serve"}, {7, 1, own, "shop serve"}, probe}, true},
		{"a daemon whose fork is still vault-env", []process{{1, 0, own, program + " -- a"}, {7, 1, own, program + " -- a"}, probe}, false},
		{"two probes at once", []process{{1, 0, own, "shop serve"}, {39, 0, own, program + " --started"}, probe}, true},
		{"a hook that asks", []process{{1, 0, own, "shop serve"}, {9, 0, own, program + " -- warm-up"}, probe}, false},
		{"a neighbour asks, in a process namespace of the pod", []process{
			{1, 0, pause, "/pause"}, {8, 0, neighbour, program + " -- proxy"}, {12, 0, own, "shop serve"}, probe}, true},
		{"it asks, and a neighbour does not, in one", []process{
			{1, 0, pause, "/pause"}, {8, 0, neighbour, "proxy"}, {12, 0, own, program + " -- shop serve"}, probe}, false},
		{"it has given up and ended, in one", []process{
			{1, 0, pause, "/pause"}, {8, 0, neighbour, "proxy"}, probe}, false},
		{"it has given up and is not reaped yet, in one", []process{
			{1, 0, pause, "/pause"}, {12, 1, own, ""}, {39, 0, own, program + " --started"}, probe}, false},
		{"an init system that is in a control group below, in one", []process{
			{1, 0, pause, "/pause"}, {8, 0, neighbour, "proxy"}, {12, 0, "/init.scope", "/sbin/init"}, probe}, true},
		{"vault-env in a control group below", []process{{1, 0, "/init.scope", program + " -- shop serve"}, probe}, false},
		{"a neighbour whose control group begins alike", []process{
			{1, 0, pause, "/pause"}, {8, 0, "/../own2/x", program + " -- proxy"}, {12, 0, own, "shop serve"}, probe}, true},
		{"another vault-env, by another path", []process{{1, 0, own, "/tools/vault-env shop"}, probe}, true},
		{"the program has just ended", []process{{1, 0, own, ""}, probe}, true},
		{"nothing else can be seen", []process{probe}, true},
	} {
		if got := ProgramRuns(write(t, c.processes), self, program); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	const v1 = "/\n4:memory:/kubepods/shop\n1:name=systemd:/kubepods/shop"
	for name, c := range map[string]struct {
		cgroups string
		want    bool
	}{
		"the container's":         {v1, true},
		"below in one hierarchy":  {v1 + "/init.scope", true},
		"another's in one":        {"/\n4:memory:/kubepods/bank\n1:name=systemd:/kubepods/shop", false},
		"one that begins alike":   {v1 + "-2", false},
		"of another kind of host": {"/", false},
	} {
		processes := []process{{1, 0, "/\n4:memory:/a\n1:name=systemd:/a", "/pause"}, {7, 1, c.cgroups, "shop serve"}, {self, 0, v1, program + " --started"}}
		if got := ProgramRuns(write(t, processes), self, program); got != c.want {
			t.Errorf("control groups of version 1, %s: %v", name, got)
		}
	}
	if !ProgramRuns("/nonexistent", self, program) {
		t.Error("no procfs")
	}
}
