package guard

import (
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// MaxHeap is the bound of Go's memory where the container has plenty: all answers together are shorter.
	MaxHeap = 64 << 20
	// With less, Go's collector would run all the time and free nothing.
	minHeap = 4 << 20
)

// BoundHeap makes Go collect garbage before the container's memory runs out, and returns the bound in bytes. Half of the
// container's limit is Go's; the rest is for the executable itself, for the kernel's buffers, and for the environment of
// the program, which exists twice for a moment.
func BoundHeap() int64 {
	bound := heapBound(MemoryLimit("/proc/self/cgroup", "/sys/fs/cgroup"))
	debug.SetMemoryLimit(bound)
	return bound
}

func heapBound(limit int64) int64 { return min(max(limit/2, minHeap), MaxHeap) }

// MemoryLimit returns the lowest limit on the memory of this process that the files of its control groups show, of
// version 1 or 2; a very high one if there is none, or if they cannot be read. cgroup is the file that names the groups,
// and mount the folder of their files. A container sees its own group at the root, whatever the first calls it.
func MemoryLimit(cgroup, mount string) int64 {
	lowest := int64(1<<63 - 1)
	groups, _ := os.ReadFile(cgroup)
	for line := range strings.Lines(string(groups)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		dir, file := mount, "memory.max"
		if isMemory(part[1]) {
			dir, file = mount+"/memory", "memory.limit_in_bytes"
		} else if part[1] != "" {
			continue
		}
		const maxDepth = 16
		for group, depth := path.Clean("/"+part[2]), 0; depth < maxDepth; group, depth = path.Dir(group), depth+1 {
			if limit, set := readLimit(dir + group + "/" + file); set {
				lowest = min(lowest, limit)
			}
			if group == "/" {
				break
			}
		}
	}
	return lowest
}

// isMemory returns whether a list of controllers of version 1 contains the one for memory.
func isMemory(controllers string) bool {
	for controller := range strings.SplitSeq(controllers, ",") {
		if controller == "memory" {
			return true
		}
	}
	return false
}

func readLimit(file string) (int64, bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64) // "max" is no limit
	return limit, err == nil && limit > 0
}
