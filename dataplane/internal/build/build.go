// Package build makes the dataplane's program for tests that run it.
package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Dataplane builds the program in a folder and returns its path.
func Dataplane(ctx context.Context, dir string, flags ...string) (string, error) {
	program := filepath.Join(dir, "dataplane")
	args := append([]string{"build", "-o", program}, flags...)
	out, err := exec.CommandContext(ctx, "go", append(args, "wirepatch/dataplane")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the dataplane: %w\n%s", err, out)
	}
	return program, nil
}

// Watch looks at all files of a folder, so that the go command, which notes what
// a test looks at, runs the tests anew when one of them has changed.
func Watch(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.Stat(path)
		}
		return err
	})
}
