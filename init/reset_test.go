package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A reset that the disk does not take note of is no reset, and says so.
func TestFactoryResetIsMarked(t *testing.T) {
	b := newBox()
	mark := filepath.Join(t.TempDir(), "factory-reset")
	inTheWay := filepath.Join(mark+".new", "x") // root is not stopped by a mode
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.factoryReset(mark, "test"); err == nil || len(b.stopping) != 0 {
		t.Errorf("factoryReset = %v, restarts: %v; want an error and no restart", err, len(b.stopping) != 0)
	}
	if err := os.RemoveAll(mark + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := b.factoryReset(mark, "test"); err != nil || len(b.stopping) != 1 {
		t.Errorf("factoryReset = %v, restarts: %v; want a restart", err, len(b.stopping) != 0)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
}
