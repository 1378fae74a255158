package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
)

// serialKept is how much of the serial console's output is remembered, bytes.
const serialKept = 256 << 10

// errEnded says that the machine is gone.
var errEnded = errors.New("the machine has ended")

// Serial is the machine's serial console: all that it said, and the way to
// type. It is safe for use by many goroutines.
type Serial struct {
	mu      sync.Mutex
	kept    []byte
	dropped int64         // bytes before kept
	more    chan struct{} // closed and replaced when there is more
	ended   bool
	log     io.Writer
	keys    io.Writer
}

func newSerial(log io.Writer) *Serial { return &Serial{more: make(chan struct{}), log: log} }

// begin says that a machine is on, and where what is typed goes.
func (s *Serial) begin(keys io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.ended = keys, false
}

// Write takes what the machine says.
func (s *Serial) Write(b []byte) (int, error) {
	s.log.Write(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, b...)
	if over := len(s.kept) - serialKept; over > 0 {
		s.kept = bytes.Clone(s.kept[over:])
		s.dropped += int64(over)
	}
	s.wake()
	return len(b), nil
}

func (s *Serial) wake() {
	close(s.more)
	s.more = make(chan struct{})
}

// end says that nothing more comes.
func (s *Serial) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wake()
}

// Position is the number of bytes said so far, for WaitFrom.
func (s *Serial) Position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped + int64(len(s.kept))
}

// after returns what was said from position on and a channel that is closed
// when there is more.
func (s *Serial) after(position int64) (text []byte, next int64, more <-chan struct{}, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := min(max(position-s.dropped, 0), int64(len(s.kept)))
	return bytes.Clone(s.kept[start:]), s.dropped + int64(len(s.kept)), s.more, s.ended
}

// WaitFrom waits until what was said from position on matches re, and returns
// the match with its groups and the position behind it.
func (s *Serial) WaitFrom(ctx context.Context, position int64, re *regexp.Regexp) ([]string, int64, error) {
	for {
		text, next, more, ended := s.after(position)
		if m := re.FindSubmatchIndex(text); m != nil {
			var groups []string
			for _, g := range re.FindSubmatch(text) {
				groups = append(groups, string(g))
			}
			return groups, next - int64(len(text)) + int64(m[1]), nil
		}
		if ended {
			return nil, position, fmt.Errorf("waiting for %q on the console: %w", re, errEnded)
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, position, fmt.Errorf("waiting for %q on the console: %w", re, ctx.Err())
		}
	}
}

// Type types text at the console.
func (s *Serial) Type(text string) error {
	_, err := io.WriteString(s.keys, text)
	return err
}

// Tail returns the last lines said, at most n.
func (s *Serial) Tail(n int) string {
	text, _, _, _ := s.after(0)
	lines := bytes.Split(bytes.TrimRight(text, "\r\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// attachBacklog is how much of the past a terminal is shown, bytes.
const attachBacklog = 4 << 10

// Serve attaches everybody who connects to l to the console, until l is closed.
func (s *Serial) Serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go s.attach(c)
	}
}

func (s *Serial) attach(c net.Conn) {
	defer c.Close()
	gone := make(chan struct{})
	go func() {
		io.Copy(s.keys, c)
		close(gone)
	}()
	position := max(0, s.Position()-attachBacklog)
	for {
		text, next, more, ended := s.after(position)
		if _, err := c.Write(text); err != nil || ended {
			return
		}
		position = next
		select {
		case <-more:
		case <-gone:
			return
		}
	}
}
