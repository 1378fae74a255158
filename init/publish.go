package main

import (
	"encoding/json"
	"sync"

	"wirepatch/board/atomicfile"
	"wirepatch/board/state"
)

// published is what others may read of the box and what changes while it runs.
type published struct {
	mu         sync.Mutex
	hostname   string
	data       string
	management state.Management
	slots      []state.Slot
	secrets    string
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
			err = atomicfile.Write(state.Path, text, 0o644)
		}
		if err != nil {
			b.journal.Line("wirepatch", "write the box's state: "+err.Error())
		}
	}
}
