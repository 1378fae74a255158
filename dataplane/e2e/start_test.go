package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestThousandDefinitions: however many definitions there are to be tested, the
// wire forwards at once, by policy; none of them is in force before, and all are
// afterwards.
func TestThousandDefinitions(t *testing.T) {
	const many = 1000
	b := newBox(t)
	startNginx(t, b.Server)
	b.process.end(t, syscall.SIGTERM)
	text, err := os.ReadFile("testdata/definitions/WP-2026-request/patch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		id := fmt.Sprintf("WP-2026-m%d", i+1)
		dir := filepath.Join(b.definitions, id)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "patch.yaml"), []byte(strings.ReplaceAll(string(text), "WP-2026-request", id)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.process = startProcess(t, b.Box, exec.Command(program, b.args...), "the wire is open")
	alive, err := b.control.Alive(t.Context())
	if err != nil || !alive.Attached || !alive.Testing {
		t.Errorf("Alive = %+v, %v; want the program on the ports, and the definitions being tested", alive, err)
	}
	if got := curl(t, b.Client, "http://10.77.0.2/plain"); got != "plain\n" {
		t.Errorf("meanwhile the server's answer is %q; want plain", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	for {
		if alive, err = b.control.Alive(ctx); err != nil || !alive.Testing {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if s := b.status(t); len(s.Definitions) < many {
		t.Errorf("%d definitions are in force; want at least %d", len(s.Definitions), many)
	}
}
