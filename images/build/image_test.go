package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Images that have a cache in common do not take each other's files for theirs.
func TestOnce(t *testing.T) {
	cache := t.TempDir()
	made := map[string]int{}
	build := func(out, key string) {
		t.Helper()
		i := &image{cache: cache}
		target := filepath.Join(out, "vmlinux")
		if err := i.once(key, target, func() error {
			made[out]++
			return writeFile(target, []byte(key))
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(target); string(got) != key {
			t.Errorf("once(%s) leaves %q, %v", key, got, err)
		}
	}
	one, two := t.TempDir(), t.TempDir()
	for _, key := range []string{"old", "new"} {
		for range 2 {
			build(one, key)
			build(two, key)
		}
	}
	if made[one] != 2 || made[two] != 2 {
		t.Errorf("made %v times; want each twice", made)
	}
}
