package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// longestLine is how much of a line is read, in bytes; more is thrown away. A
// public key must fit.
const longestLine = 4 << 10

// idleTime is how long whoever has signed in may stay away.
const idleTime = 10 * time.Minute

// How a question ends without an answer.
var (
	errIdle = errors.New("nobody typed anything for a while")
	errStop = errors.New("stopped")
)

// lines are what is typed. A goroutine reads, so that the menu can stop waiting;
// where it hangs in a read for good the process ends with the menu.
type lines struct {
	typed chan string
	ended chan error
}

func (l *lines) start(ctx context.Context, r io.Reader) {
	l.typed, l.ended = make(chan string), make(chan error, 1)
	go func() {
		in := bufio.NewReaderSize(r, longestLine)
		for {
			line, err := readLine(in)
			if err != nil {
				l.ended <- err
				return
			}
			select {
			case l.typed <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// readLine reads a line; of a long one the beginning.
func readLine(in *bufio.Reader) (string, error) {
	text, more, err := in.ReadLine()
	line := strings.Map(func(r rune) rune {
		if r == 0 {
			return -1 // a break on the line
		}
		return r
	}, string(text))
	for more && err == nil {
		_, more, err = in.ReadLine()
	}
	return line, err
}

// read waits for a line.
func (m *Menu) read(ctx context.Context) (string, error) {
	line, err := m.readRaw(ctx)
	return strings.TrimSpace(line), err
}

func (m *Menu) readRaw(ctx context.Context) (string, error) {
	var idle <-chan time.Time
	if m.user.Name != "" {
		t := time.NewTimer(idleTime)
		defer t.Stop()
		idle = t.C
	}
	select {
	case line := <-m.lines.typed:
		return line, nil
	case err := <-m.lines.ended:
		m.lines.ended <- err
		return "", err
	case <-idle:
		return "", errIdle
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// secret asks for what must not be shown.
func (m *Menu) secret(ctx context.Context, question string) (string, error) {
	m.term.Echo(false) // first: who sees the question may type at once
	m.printf("%s: ", question)
	line, err := m.readRaw(ctx)
	m.term.Echo(true)
	m.printf("\n")
	return strings.TrimRight(line, "\r\n"), err
}

// ask asks until the answer passes the check. Enter takes what stands in
// brackets, a dash takes it away, a dot stops.
func (m *Menu) ask(ctx context.Context, question, now string, check func(string) error) (string, error) {
	for {
		if now == "" {
			m.printf("%s: ", question)
		} else {
			m.printf("%s [%s]: ", question, fit(now))
		}
		line, err := m.read(ctx)
		if err != nil {
			return "", err
		}
		switch line {
		case ".":
			return "", errStop
		case "":
			line = now
		case "-":
			line = ""
		}
		if err := check(line); err != nil {
			for l := range strings.SplitSeq(err.Error(), "\n") {
				m.wrapped("  %s", l)
			}
			continue
		}
		return line, nil
	}
}

// pick has one of several things chosen by its number.
func (m *Menu) pick(ctx context.Context, question string, now int, choices ...string) (int, error) {
	text := question + ":"
	for i, c := range choices {
		text += fmt.Sprintf("  %d %s", i+1, c)
	}
	m.wrapped("%s", text)
	n := now
	_, err := m.ask(ctx, "  number", fmt.Sprint(now+1), func(s string) error {
		if _, err := fmt.Sscan(s, &n); err != nil || n < 1 || n > len(choices) {
			return fmt.Errorf("type a number from 1 to %d", len(choices))
		}
		n--
		return nil
	})
	return n, err
}

// sure asks for a whole word before what cannot be taken back.
func (m *Menu) sure(ctx context.Context, what, word string) error {
	m.wrapped("%s", what)
	m.printf("Type %s to go on: ", word)
	line, err := m.read(ctx)
	if err == nil && line != word {
		err = errStop
	}
	return err
}

func anything(string) error { return nil }
