package sshd

import (
	"bytes"
	"sync"
	"unicode/utf8"
)

// editor makes lines of what a client sends, which for SSH the far end of a
// terminal must do itself: an echo, and keys that take back what was typed. It
// moves no cursor but over what it takes back.
type editor struct {
	line   []byte
	escape int  // how far into an escape sequence, which is left out
	cr     bool // the last byte was one; a line feed then is no line of its own
}

// maxLine is how long a line may be, in bytes; what is more is left out.
const maxLine = 4 << 10

const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	backspace = 0x08
	ctrlU     = 0x15
	escape    = 0x1b
	del       = 0x7f
)

// What a key means.
type meaning int

const (
	more   meaning = iota // the line goes on
	done                  // it is there
	hangUp                // nothing more comes
)

// stopLine is how a form is left (console: a dot).
var stopLine = []byte(".")

// key takes one byte. It returns what to echo, and the line once it is there.
func (e *editor) key(b byte) (echo, line []byte, m meaning) {
	after := e.cr
	e.cr = b == '\r'
	switch {
	case e.escape > 0:
		e.skip(b)
	case b == '\n' && after:
	case b == '\r' || b == '\n':
		line, e.line = e.line, nil
		return []byte("\r\n"), line, done
	case b == del || b == backspace:
		echo = e.erase(1)
	case b == ctrlU:
		echo = e.erase(utf8.RuneCount(e.line))
	case b == ctrlC:
		e.line = nil
		return []byte("^C\r\n"), stopLine, done
	case b == ctrlD && len(e.line) == 0:
		return nil, nil, hangUp
	case b == escape:
		e.escape = 1
	case b < ' ':
	case len(e.line) < maxLine:
		e.line = append(e.line, b)
		echo = []byte{b}
	}
	return echo, nil, more
}

// skip leaves out the rest of an escape sequence, as cursor keys send.
func (e *editor) skip(b byte) {
	switch {
	case e.escape == 1 && (b == '[' || b == 'O'):
		e.escape = 2
	case e.escape == 2 && b < '@':
	default:
		e.escape = 0
	}
}

// erase takes the last n characters back.
func (e *editor) erase(n int) []byte {
	var echo []byte
	for ; n > 0 && len(e.line) > 0; n-- {
		_, size := utf8.DecodeLastRune(e.line)
		e.line = e.line[:len(e.line)-size]
		echo = append(echo, "\b \b"...)
	}
	return echo
}

// terminal is a client's terminal, as the menu uses it.
type terminal struct {
	channel interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	}
	pty bool // the client has one: it wants an echo, and lines that end in CR LF

	edit   editor
	raw    []byte // that was read and not looked at
	ready  []byte // lines that the menu has not taken
	ended  bool
	mu     sync.Mutex
	silent bool
}

// Echo implements console.Terminal.
func (t *terminal) Echo(on bool) { t.mu.Lock(); t.silent = !on; t.mu.Unlock() }

// Write implements io.Writer.
func (t *terminal) Write(b []byte) (int, error) {
	out := b
	if t.pty {
		out = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	_, err := t.channel.Write(out)
	return len(b), err
}

// Read implements io.Reader, by whole lines.
func (t *terminal) Read(b []byte) (int, error) {
	for len(t.ready) == 0 {
		if t.ended {
			return 0, errHangUp
		}
		if err := t.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

// fill looks at what has come, up to the end of a line.
func (t *terminal) fill() error {
	if len(t.raw) == 0 {
		buf := make([]byte, 512)
		n, err := t.channel.Read(buf)
		if n == 0 && err != nil {
			return err
		}
		t.raw = buf[:n]
	}
	for len(t.raw) > 0 {
		echo, line, m := t.edit.key(t.raw[0])
		t.raw = t.raw[1:]
		if err := t.answer(echo, m); err != nil {
			return err
		}
		switch m {
		case done:
			t.ready = append(append(t.ready, line...), '\n')
			return nil
		case hangUp:
			t.ended = true
			return nil
		}
	}
	return nil
}

// answer sends the echo; of a secret only its end is seen.
func (t *terminal) answer(echo []byte, m meaning) error {
	t.mu.Lock()
	silent := t.silent
	t.mu.Unlock()
	if !t.pty || len(echo) == 0 || silent {
		return nil // the menu ends a secret's line itself
	}
	_, err := t.channel.Write(echo)
	return err
}
