package journal

import (
	"fmt"
	"io"
)

// sink is one console with the lines that it has not printed yet.
type sink struct {
	w     io.Writer
	lines chan string
	done  chan struct{}
	lost  int // guarded by the journal's lock
}

// put queues a line, or counts it as lost when the console lags too far behind.
func (s *sink) put(line string) {
	if s.lost > 0 {
		select {
		case s.lines <- fmt.Sprintf("wirepatch: %d lines left out, the console is too slow", s.lost):
			s.lost = 0
		default:
			s.lost++
			return
		}
	}
	select {
	case s.lines <- line:
	default:
		s.lost++
	}
}

func (s *sink) write() {
	defer close(s.done)
	for line := range s.lines {
		// A console that is gone is no reason to stop.
		io.WriteString(s.w, line+"\n")
	}
}
