package main

import (
	"encoding/json"
	"os"
	"sync"

	"wirepatch/board/state"
)

// published is what others may read of the box and what changes while it runs.
type published struct {
	mu         sync.Mutex
	hostname   string
	data       string
	management state.Management
	wake       chan struct{}
}

// changed has the state written anew.
func (b *box) changed() {
	select {
	case b.published.wake <- struct{}{}:
	default: // it will be written anyway
	}
}

// note changes what is published.
func (b *box) note(change func(*published)) {
	b.published.mu.Lock()
	change(&b.published)
	b.published.mu.Unlock()
	b.changed()
}

// publish writes the state at each change.
func (b *box) publish() {
	for range b.published.wake {
		text, err := json.Marshal(b.state())
		if err == nil {
			err = writeFile(state.Path, text, 0o644)
		}
		if err != nil {
			b.journal.Line("wirepatch", "write the box's state: "+err.Error())
		}
	}
}

// writeFile replaces a file whole, so that a reader never sees half of it. It is
// for files that need not outlast a power cut.
func writeFile(path string, text []byte, mode os.FileMode) error {
	next := path + ".new"
	if err := os.WriteFile(next, text, mode); err != nil {
		return err
	}
	if err := os.Chmod(next, mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}
