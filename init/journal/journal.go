// Package journal is init's log: what init itself does, and what the programs
// it runs print. It goes to every console and is kept in memory, the last of
// it, for the console's menu and the management page. Whoever writes to it
// never waits for a slow serial line.
package journal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"wirepatch/board/state"
)

const (
	keepEntries = 200 // of init's own, as board/state promises
	keepLines   = 500
	maxLine     = 400 // characters
	queued      = 256 // lines that a console may lag behind
)

// Journal is safe for concurrent use.
type Journal struct {
	Changed func() // called after each entry of init's own; may be nil

	mu      sync.Mutex
	id      uint64
	entries []state.Entry
	lines   []string
	sinks   []*sink
}

// Logf adds an entry of init's own.
func (j *Journal) Logf(format string, a ...any) {
	text := Clean(fmt.Sprintf(format, a...))
	j.mu.Lock()
	j.id++
	j.entries = last(append(j.entries, state.Entry{ID: j.id, Time: time.Now(), Text: text}), keepEntries)
	j.mu.Unlock()
	j.Line("wirepatch", text)
	if j.Changed != nil {
		j.Changed()
	}
}

// Line adds a line that a program printed.
func (j *Journal) Line(from, text string) {
	line := from + ": " + Clean(text)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = last(append(j.lines, line), keepLines)
	for _, s := range j.sinks {
		s.put(line)
	}
}

// Show puts a line onto the consoles that is kept nowhere: it is for who stands
// before the box.
func (j *Journal) Show(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.sinks {
		s.put(text)
	}
}

// Entries returns init's own entries, oldest first.
func (j *Journal) Entries() []state.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]state.Entry(nil), j.entries...)
}

// Lines returns the last n lines of all, oldest first.
func (j *Journal) Lines(n int) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), last(j.lines, n)...)
}

// SetConsoles sends every further line to these, and no longer to those before.
func (j *Journal) SetConsoles(all ...io.Writer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.sinks {
		close(s.lines)
	}
	j.sinks = nil
	for _, w := range all {
		s := &sink{w: w, lines: make(chan string, queued), done: make(chan struct{})}
		j.sinks = append(j.sinks, s)
		go s.write()
	}
}

// Flush waits until the consoles have printed what they were given, but no
// longer than timeout. Nothing reaches the consoles any more afterwards.
func (j *Journal) Flush(timeout time.Duration) {
	j.mu.Lock()
	sinks := j.sinks
	j.mu.Unlock()
	j.SetConsoles()
	end := time.After(timeout)
	for _, s := range sinks {
		select {
		case <-s.done:
		case <-end:
			return
		}
	}
}

// Clean makes text from anywhere safe for a terminal: no control characters
// (a request's bytes must not steer the console), bounded, one line.
func Clean(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimRight(text, "\r\n") {
		if n++; n > maxLine {
			b.WriteString("...")
			break
		}
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

func last[T any](s []T, n int) []T {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}
