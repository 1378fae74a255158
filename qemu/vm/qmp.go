package vm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// qmpTimeout bounds one command to QEMU.
const qmpTimeout = 10 * time.Second

// qmp gives QEMU one command of its machine protocol (docs/interop/qmp-spec)
// and waits for it to be taken.
func (c *Config) qmp(command string) error {
	conn, err := net.DialTimeout("unix", filepath.Join(c.Dir, "qmp"), qmpTimeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(qmpTimeout))
	r := bufio.NewScanner(conn)
	for _, cmd := range []string{"qmp_capabilities", command} {
		if err := json.NewEncoder(conn).Encode(map[string]string{"execute": cmd}); err != nil {
			return err
		}
		if err := qmpReturn(r); err != nil {
			return fmt.Errorf("QEMU's answer to %s: %w", cmd, err)
		}
	}
	return nil
}

// qmpReturn reads past greeting and events to the answer.
func qmpReturn(r *bufio.Scanner) error {
	for r.Scan() {
		var m struct {
			Return *json.RawMessage `json:"return"`
			Error  *struct {
				Desc string `json:"desc"`
			} `json:"error"`
		}
		if err := json.Unmarshal(r.Bytes(), &m); err != nil {
			return err
		}
		if m.Error != nil {
			return fmt.Errorf("%s", m.Error.Desc)
		}
		if m.Return != nil {
			return nil
		}
	}
	return fmt.Errorf("it closed the connection: %w", r.Err())
}
