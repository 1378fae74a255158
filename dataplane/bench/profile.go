package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// record takes each measurement across the wire once more with perf recording
// the whole machine, for the question what limits it.
func (l *lab) record() error {
	if l.profile == "" {
		return nil
	}
	if err := os.MkdirAll(l.profile, 0o755); err != nil {
		return err
	}
	usual := l.duration
	defer func() { l.duration = usual }()
	l.duration = max(usual, 2*time.Second)
	for _, m := range l.chosen {
		w := l.ways[m.ways[len(m.ways)-1]]
		path := filepath.Join(l.profile, m.name+"."+strings.ReplaceAll(w.name, " ", "-")+".perf")
		c := exec.CommandContext(l.ctx, "perf", "record", "-q", "-a", "-g", "-F", "997", "-o", path, "--", "sleep", fmt.Sprint(l.duration.Seconds()-0.3))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return err
		}
		_, err := l.take(m, w)
		if waited := c.Wait(); err == nil {
			err = waited
		}
		if err != nil {
			return fmt.Errorf("profile of %s: %w", m.name, err)
		}
	}
	return nil
}
