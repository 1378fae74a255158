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
const qmpTimeout = time.Minute

// QMP gives QEMU one command of its machine protocol (docs/interop/qmp-spec),
// with arguments, and waits for it to be taken.
func (v *VM) QMP(command string, arguments map[string]any) error {
	return v.config.qmp(command, arguments)
}

func (c *Config) qmp(command string, arguments map[string]any) error {
	conn, err := net.DialTimeout("unix", filepath.Join(c.Dir, "qmp"), qmpTimeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(qmpTimeout))
	r := bufio.NewScanner(conn)
	for _, cmd := range []map[string]any{{"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}} {
		if len(arguments) == 0 {
			delete(cmd, "arguments")
		}
		if err := json.NewEncoder(conn).Encode(cmd); err != nil {
			return err
		}
		if err := qmpReturn(r); err != nil {
			return fmt.Errorf("QEMU's answer to %s: %w", cmd["execute"], err)
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
