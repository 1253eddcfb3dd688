package guard

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	const none = int64(1<<63 - 1)
	for _, c := range []struct {
		name, cgroup string
		files        map[string]string
		want         int64
	}{
		{"version 2, in a container", "0::/\n", map[string]string{"memory.max": "16777216\n"}, 16 << 20},
		{"version 2, without a limit", "0::/\n", map[string]string{"memory.max": "max\n"}, none},
		{"version 2, on a host", "0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "1000\n"}, 1000},
		{"the lowest counts", "0::/a/b\n", map[string]string{"a/b/memory.max": "3000\n", "a/memory.max": "2000\n"}, 2000},
		{"version 1, in a container", "4:memory:/kubepods/pod1/c1\n3:cpu:/x\n0::/\n", map[string]string{"memory/memory.limit_in_bytes": "16777216\n"}, 16 << 20},
		{"version 1, on a host", "4:cpu,memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "5000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, 5000},
		{"another controller", "3:cpu:/\n", map[string]string{"memory/memory.limit_in_bytes": "5000\n"}, none},
		{"nothing can be read", "0::/\n", nil, none},
		{"nonsense", "0::/../..\nx\n:\n", map[string]string{"memory.max": "-1\n"}, none},
		{"nonsense in the file", "0::/", map[string]string{"memory.max": ""}, none},
	} {
		mount := t.TempDir()
		for name, content := range c.files {
			file := filepath.Join(mount, name)
			os.MkdirAll(filepath.Dir(file), 0o755)
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cgroup := filepath.Join(mount, "cgroup")
		if err := os.WriteFile(cgroup, []byte(c.cgroup), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := MemoryLimit(cgroup, mount); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
	if got := MemoryLimit("/nonexistent", "/nonexistent"); got != none {
		t.Error(got)
	}
}

func TestHeapBound(t *testing.T) {
	for limit, want := range map[int64]int64{16 << 20: 8 << 20, 1: 4 << 20, 1<<63 - 1: 64 << 20, 128 << 20: 64 << 20, 100 << 20: 50 << 20} {
		if got := heapBound(limit); got != want {
			t.Errorf("%d: %d; want %d", limit, got, want)
		}
	}
}
