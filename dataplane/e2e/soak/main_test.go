package soak

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	seed     = flag.Uint64("seed", 1, "what all sessions and all trouble are made from")
	sessions = flag.Int("sessions", 0, "sessions on the bad network; 0: 5,000, 1,000 with -short")
	kills    = flag.Int("kills", 30, "times that the program is killed, two of three, or held up")
)

// program is the dataplane, built for the tests.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	// The go command notes what a test looks at, so that it runs the tests anew
	// when the program has changed.
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "dataplane")
	c := exec.Command("go", "build", "-o", program, "wirepatch/dataplane")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return 1, fmt.Errorf("build the dataplane: %w", err)
	}
	return m.Run(), nil
}
