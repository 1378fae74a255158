package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMachineMemory(t *testing.T) {
	const info = "MemTotal:        2048000 kB\nMemFree:          100000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"the machine's":    {nil, 2048000 << 10},
		"a group's":        {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000000\n"}, 1000000},
		"a group around":   {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000000\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 1000000},
		"a group of old":   {map[string]string{"proc/self/cgroup": "5:cpu:/x\n4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "3000\n", "sys/fs/cgroup/x/memory.max": "7"}, 3000},
		"more than is had": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "9223372036854771712\n"}, 2048000 << 10},
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "proc/meminfo"), info)
		for path, text := range c.files {
			write(t, filepath.Join(root, path), text)
		}
		if got, err := machineMemory(root); got != c.want || err != nil {
			t.Errorf("%s: machineMemory = %d, %v; want %d", name, got, err, c.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRoom: what all sessions may take, those of the kernel and the engine's,
// leaves the smallest box a third for all else; one with memory to spare has
// room for a million.
func TestRoom(t *testing.T) {
	for _, machine := range []int64{256 << 20, 470 << 20, 960 << 20, 4 << 30, 64 << 30} {
		r := roomOf(machine)
		engine := int64(r.limits.Sessions)*(8<<10) + int64(r.limits.Total)
		below := int64(r.below) * 288
		if engine+below > machine*2/3 {
			t.Errorf("of %d MB, sessions may take %d and %d MB; want two thirds at most", machine>>20, engine>>20, below>>20)
		}
		if machine >= 960<<20 && r.below != 1<<20 {
			t.Errorf("with %d MB the kernel may follow %d sessions; want a million", machine>>20, r.below)
		}
	}
}
