package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"wirepatch/dataplane/patch"
)

//go:embed template.yaml
var template string

// create writes a new definition that passes its own tests, to be changed.
func create(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("new: found %d arguments; want one id, for instance WP-2025-29927", len(args))
	}
	text := strings.Replace(template, "id: ID\n", "id: "+args[0]+"\n", 1)
	if _, err := patch.Parse(args[0], []byte(text)); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	path := filepath.Join(folder, args[0], patch.FileName)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("new: %s is there already; choose another id", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	fmt.Fprintf(out, "%s written; change it, then run: go run ./definitions test %s\n", path, path)
	return nil
}
