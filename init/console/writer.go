package console

import (
	"os"

	"wirepatch/board"
)

// Writer writes to a console for good: when the line was hung up (a shell that
// ended on it, a cable), it opens it again.
type Writer struct {
	Console board.Console
	f       *os.File
}

// Open opens the console; Write does it too when needed.
func (w *Writer) Open() (err error) {
	w.f, err = Open(w.Console)
	return err
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	if w.f != nil {
		n, err := w.f.Write(b)
		if err == nil {
			return n, nil
		}
		w.f.Close()
		w.f = nil
	}
	if err := w.Open(); err != nil {
		w.f = nil
		return 0, err
	}
	return w.f.Write(b)
}
