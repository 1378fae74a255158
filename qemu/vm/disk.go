package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// diskMB is the size of the data disk, unless the Config says another; the file
// is sparse.
const diskMB = 64

func (c *Config) disk() string { return filepath.Join(c.Dir, "data.img") }

// makeDisk makes the data disk, ext4 with the settings in it, as its owner
// would have written them.
func (c *Config) makeDisk(ctx context.Context) error {
	content := filepath.Join(c.Dir, "data")
	if err := os.MkdirAll(content, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(content, "appliance.ini"), []byte(c.Settings), 0o644); err != nil {
		return err
	}
	if c.Fill != nil {
		if err := c.Fill(content); err != nil {
			return err
		}
	}
	size := c.DiskMB
	if size == 0 {
		size = diskMB
	}
	f, err := os.Create(c.disk())
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(int64(size)<<20), f.Close()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool("mkfs.ext4"), "-q", "-F", "-L", "wirepatch-data", "-E", "root_owner=0:0", "-d", content, c.disk())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the data disk with mkfs.ext4 (Debian package e2fsprogs): %w\n%s", err, out)
	}
	return nil
}

// tool returns where a program of /usr/sbin is, which a plain user's PATH on
// Debian lacks.
func tool(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	return "/usr/sbin/" + name
}
