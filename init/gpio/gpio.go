// Package gpio sets output lines of a board, for its bypass relay and its lights,
// through the kernel's sysfs interface (Documentation/userspace-api/gpio/sysfs.rst):
// what a line is set to stays so when the program that set it is gone, which with
// the newer character devices it does not. init uses it; it knows nothing of what
// hangs on a line.
package gpio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"wirepatch/board"
)

// Root is where the kernel shows lines.
const Root = "/sys/class/gpio"

// Line is one output.
type Line struct {
	folder string
	on     bool // the level at which it is on, high or not
}

// Open makes the line an output, which is on or off from the first moment.
func Open(root string, l board.Line, on bool) (*Line, error) {
	number, err := find(root, l)
	if err != nil {
		return nil, err
	}
	out := &Line{folder: filepath.Join(root, fmt.Sprintf("gpio%d", number)), on: l.High}
	err = os.WriteFile(filepath.Join(root, "export"), []byte(strconv.Itoa(number)), 0o200)
	if err != nil && !errors.Is(err, unix.EBUSY) { // busy: it is there already
		return nil, fmt.Errorf("line %s: %w; does another driver use it?", l, err)
	}
	// Direction and level in one: with "out" there would be a moment at low.
	level := map[bool]string{true: "high", false: "low"}[on == out.on]
	if err := os.WriteFile(filepath.Join(out.folder, "direction"), []byte(level), 0o200); err != nil {
		return nil, fmt.Errorf("line %s: %w; is it an output?", l, err)
	}
	return out, nil
}

// find returns the line's number in the system.
func find(root string, l board.Line) (int, error) {
	chips, _ := filepath.Glob(filepath.Join(root, "gpiochip*"))
	var labels []string
	for _, c := range chips {
		label := read(c, "label")
		labels = append(labels, label)
		if label != l.Chip {
			continue
		}
		base, err1 := strconv.Atoi(read(c, "base"))
		lines, err2 := strconv.Atoi(read(c, "ngpio"))
		if err := errors.Join(err1, err2); err != nil {
			return 0, fmt.Errorf("line %s: %w", l, err)
		}
		if l.Offset >= lines {
			return 0, fmt.Errorf("line %s: the chip has %d lines, from 0", l, lines)
		}
		return base + l.Offset, nil
	}
	return 0, fmt.Errorf("line %s: the machine has no such chip; it has %q", l, labels)
}

func read(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Set switches the line on or off.
func (l *Line) Set(on bool) error {
	value := map[bool]string{true: "1", false: "0"}[on == l.on]
	if err := os.WriteFile(filepath.Join(l.folder, "value"), []byte(value), 0o200); err != nil {
		return fmt.Errorf("set line: %w", err)
	}
	return nil
}
