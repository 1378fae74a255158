package soak

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"wirepatch/dataplane/internal/build"
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
	code, err := all(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func all(m *testing.M) (int, error) {
	if err := build.Watch("../.."); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if program, err = build.Dataplane(context.Background(), dir); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
