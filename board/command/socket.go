package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"wirepatch/board/socket"
)

// One question and one answer, each one line of JSON, for a connection.
const (
	maxQuestion = 4 << 10
	maxAnswer   = 2 << 20
	answerTime  = PresenceTime + 10*time.Second
)

// question is what is to be done.
type question struct {
	Op     string    `json:"op"`
	Who    string    `json:"who,omitempty"`
	Text   string    `json:"text,omitempty"` // port, version
	Number int       `json:"number,omitempty"`
	Time   time.Time `json:"time"`
}

type answer struct {
	Error string   `json:"error,omitempty"`
	Lines []string `json:"lines,omitempty"`
}

// Serve answers on l until it is closed.
func Serve(ctx context.Context, l net.Listener, b Box) error {
	return socket.Serve(ctx, l, answerTime, func(ctx context.Context, c net.Conn) { serve(ctx, c, b) })
}

func serve(ctx context.Context, c net.Conn, b Box) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q, err := readQuestion(c)
	if err != nil {
		return
	}
	// Who asked may go away while it waits.
	go func() {
		io.Copy(io.Discard, io.LimitReader(c, 1))
		cancel()
	}()
	var a answer
	if err := do(ctx, b, q, &a); err != nil {
		a.Error = err.Error()
	}
	// An error here is a client that has gone away.
	_ = json.NewEncoder(c).Encode(a)
}

func readQuestion(r io.Reader) (q question, err error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxQuestion)).ReadBytes('\n')
	if err != nil {
		return q, err
	}
	return q, json.Unmarshal(line, &q)
}

func do(ctx context.Context, b Box, q question, a *answer) error {
	switch q.Op {
	case "restart":
		return b.Restart(q.Who)
	case "power-off":
		return b.PowerOff(q.Who)
	case "factory-reset":
		return b.FactoryReset(q.Who)
	case "slot":
		return b.ChooseSlot(q.Text, q.Who)
	case "blink":
		return b.Blink(ctx, q.Text)
	case "clock":
		return b.SetClock(q.Time, q.Who)
	case "presence":
		ctx, cancel := context.WithTimeout(ctx, PresenceTime)
		defer cancel()
		return b.Presence(ctx, q.Who)
	case "log":
		a.Lines = b.Log(min(max(q.Number, 0), MaxLog))
		return nil
	}
	if done, err := trust(b, q, a); done {
		return err
	}
	return fmt.Errorf("no such command: %.20q", q.Op)
}

// Client asks the first process behind a socket.
type Client struct{ Path string }

// Restart restarts the box.
func (c Client) Restart(ctx context.Context, who string) error {
	_, err := c.ask(ctx, question{Op: "restart", Who: who})
	return err
}

// PowerOff switches the box off.
func (c Client) PowerOff(ctx context.Context, who string) error {
	_, err := c.ask(ctx, question{Op: "power-off", Who: who})
	return err
}

// FactoryReset erases settings, users and history, and restarts.
func (c Client) FactoryReset(ctx context.Context, who string) error {
	_, err := c.ask(ctx, question{Op: "factory-reset", Who: who})
	return err
}

// ChooseSlot restarts the box into the firmware of another slot.
func (c Client) ChooseSlot(ctx context.Context, version, who string) error {
	_, err := c.ask(ctx, question{Op: "slot", Text: version, Who: who})
	return err
}

// Blink has a port's light blink, and returns when it has.
func (c Client) Blink(ctx context.Context, port string) error {
	_, err := c.ask(ctx, question{Op: "blink", Text: port})
	return err
}

// SetClock sets the box's clock.
func (c Client) SetClock(ctx context.Context, t time.Time, who string) error {
	_, err := c.ask(ctx, question{Op: "clock", Time: t, Who: who})
	return err
}

// Presence waits until somebody presses the power button.
func (c Client) Presence(ctx context.Context, who string) error {
	_, err := c.ask(ctx, question{Op: "presence", Who: who})
	return err
}

// Log returns the last n lines of the box's log, oldest first.
func (c Client) Log(ctx context.Context, n int) ([]string, error) {
	a, err := c.ask(ctx, question{Op: "log", Number: n})
	return a.Lines, err
}

func (c Client) ask(ctx context.Context, q question) (a answer, _ error) {
	conn, done, err := socket.Dial(ctx, c.Path, answerTime)
	if err != nil {
		return a, fmt.Errorf("ask the box's first process: %w", err)
	}
	defer done()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return a, fmt.Errorf("ask the box's first process: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&a); err != nil {
		return a, fmt.Errorf("ask the box's first process: %w", err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}
