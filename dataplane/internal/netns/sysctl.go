package netns

import (
	"fmt"
	"os"
	"testing"
)

// Sysctl sets a parameter of a namespace, named by its path below /proc/sys.
func (n *NS) Sysctl(t testing.TB, path, value string) {
	t.Helper()
	n.Must(t, func() error { return writeSysctl(path, value) })
}

func writeSysctl(path, value string) error {
	if err := os.WriteFile("/proc/sys/"+path, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s: %w", path, value, err)
	}
	return nil
}
