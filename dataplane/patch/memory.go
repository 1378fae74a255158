package patch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"wirepatch/board/atomicfile"
)

// Memory is the file in which an appliance keeps which definitions have passed
// their own tests there, so that these need not run at each start. An entry is a
// sum over everything that a test's outcome hangs on: the firmware, the
// descriptions of protocols, and the definition's file with its tests and the
// parameters that they give. What an owner sets is no part of it: no test sees that.
//
// A memory can spare a definition its tests, not bring one in: definitions come
// out of the signed image or a signed pack. Whoever can write the file can write
// the settings beside it, too.
type Memory struct {
	path     string
	firmware string

	mu      sync.Mutex
	passed  map[Sum]bool
	changed bool // since it was read or written
}

// Sum stands for a definition on a firmware.
type Sum [sha256.Size]byte

// maxMemory bounds the file.
const maxMemory = 256 + MaxFiles*(2*sha256.Size+1)

const memoryTitle = "wirepatch: definitions that passed their tests under firmware "

// OpenMemory reads the memory at path. One that is not there, is of another
// firmware or cannot be read is an empty one: then the tests run.
func OpenMemory(path, firmware string) (*Memory, error) {
	m := &Memory{path: path, firmware: firmware, passed: map[Sum]bool{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err == nil {
		m.passed, err = parseMemory(text, firmware)
	}
	if err != nil {
		return m, fmt.Errorf("read %s: %w", path, err)
	}
	return m, nil
}

// parseMemory reads all of a memory or nothing of it.
func parseMemory(text []byte, firmware string) (map[Sum]bool, error) {
	passed := map[Sum]bool{}
	if len(text) > maxMemory {
		return passed, fmt.Errorf("it is larger than %d bytes", maxMemory)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	if !lines.Scan() || lines.Text() != memoryTitle+firmware {
		return passed, nil
	}
	for lines.Scan() {
		var s Sum
		if n, err := hex.Decode(s[:], lines.Bytes()[:min(2*len(s), len(lines.Bytes()))]); err != nil || n != len(s) || len(lines.Bytes()) != 2*len(s) {
			return map[Sum]bool{}, fmt.Errorf("found %q; want a SHA-256", clip(lines.Text()))
		}
		passed[s] = true
	}
	return passed, lines.Err()
}

// has says whether the definition with that sum has passed its tests.
func (m *Memory) has(s Sum) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed[s]
}

// keep notes that these, and no others, have passed.
func (m *Memory) keep(sums []Sum) {
	if m == nil {
		return
	}
	now := map[Sum]bool{}
	for _, s := range sums {
		now[s] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed = m.changed || !maps.Equal(now, m.passed)
	m.passed = now
}

// Save writes the memory down, if it has changed.
func (m *Memory) Save() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil
	}
	text := []byte(memoryTitle + m.firmware + "\n")
	for _, s := range slices.SortedFunc(maps.Keys(m.passed), func(a, b Sum) int { return bytes.Compare(a[:], b[:]) }) {
		text = append(hex.AppendEncode(text, s[:]), '\n')
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(m.path, text, 0o600); err != nil {
		return err
	}
	m.changed = false
	return nil
}

// sumOf returns what stands for files on this firmware, under the protocols that
// are described beside them. Without memory it returns nothing of use.
func (m *Memory) sumOf(dir string) (func(file []byte) Sum, error) {
	if m == nil {
		return func([]byte) Sum { return Sum{} }, nil
	}
	h := sha256.New()
	part := func(b []byte) {
		s := sha256.Sum256(b)
		h.Write(s[:])
	}
	part([]byte(m.firmware))
	files, err := filepath.Glob(filepath.Join(dir, ProtocolFolder, "*.yaml"))
	for _, f := range files {
		b, e := os.ReadFile(f)
		err = errors.Join(err, e)
		part([]byte(filepath.Base(f)))
		part(b)
	}
	all := h.Sum(nil)
	return func(file []byte) Sum {
		s := sha256.Sum256(file)
		return sha256.Sum256(append(slices.Clone(all), s[:]...))
	}, err
}
