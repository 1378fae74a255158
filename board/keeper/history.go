package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// kept is how many earlier files there are.
const kept = 10

// Revision is a file that was in force before, and the change that ended it.
type Revision struct {
	Number int       `json:"number"`
	Ended  time.Time `json:"ended"`
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	Text   string    `json:"text"`
}

// remember keeps the text that a change ends.
func (k *Keeper) remember(text string, c Change) error {
	if err := os.MkdirAll(k.Folder, 0o700); err != nil {
		return err
	}
	all, err := k.numbers()
	if err != nil {
		return err
	}
	next := 1
	if len(all) > 0 {
		next = all[len(all)-1] + 1
	}
	b, err := json.Marshal(Revision{next, k.Now().UTC(), c.Who, c.Reason, text})
	if err != nil {
		return err
	}
	if err := atomicfile.Write(k.revision(next), b, 0o600); err != nil {
		return err
	}
	for _, n := range all[:max(0, len(all)+1-kept)] {
		if err := atomicfile.Remove(k.revision(n)); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) revision(n int) string { return filepath.Join(k.Folder, fmt.Sprintf("%d.json", n)) }

// numbers are those of the files that are kept, ascending.
func (k *Keeper) numbers() ([]int, error) {
	entries, err := os.ReadDir(k.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// History returns the earlier files, latest first. One that cannot be read is
// left out.
func (k *Keeper) History() ([]Revision, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := k.numbers()
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	out := []Revision{}
	for _, n := range all {
		var r Revision
		if b, err := os.ReadFile(k.revision(n)); err == nil && json.Unmarshal(b, &r) == nil {
			out = append(out, r)
		}
	}
	return out, nil
}
