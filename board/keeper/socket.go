package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"wirepatch/board/socket"
)

// One question and one answer, each one line of JSON, for a connection. Behind
// the line of an import, and behind that of an answer to export, comes the file.
const (
	maxLine    = 16 * MaxText // history with all its texts
	answerTime = 150 * time.Second
)

// request is the question.
type request struct {
	Op     string `json:"op"` // "current", "write", "confirm", "history", "export", "import"
	Change Change `json:"change"`
	// Of an export or import.
	Passphrase string `json:"passphrase,omitempty"`
	Bytes      int64  `json:"bytes,omitempty"` // of the file that follows
}

// response is the answer.
type response struct {
	Error   string     `json:"error,omitempty"`
	Kind    string     `json:"kind,omitempty"` // which of the errors that are told apart
	State   State      `json:"state"`
	History []Revision `json:"history,omitempty"`
	Bytes   int64      `json:"bytes,omitempty"` // of the file that follows
}

var kinds = map[string]error{"base": ErrBase, "fault": ErrFault, "apply": ErrApply, "none": ErrNone, "cannot": ErrCannot, "import": ErrImport}

// Serve answers on l until it is closed.
func (k *Keeper) Serve(ctx context.Context, l net.Listener) error {
	return socket.Serve(ctx, l, answerTime, k.serve)
}

func (k *Keeper) serve(ctx context.Context, c net.Conn) {
	limited := &io.LimitedReader{R: c, N: maxLine}
	in := bufio.NewReader(limited)
	var q request
	if err := readLine(in, &q); err != nil {
		return
	}
	limited.N = q.Bytes // what is buffered counts too: never more than the client said
	r, file := k.answer(ctx, q, io.LimitReader(in, q.Bytes))
	if file != nil {
		defer file.Close()
	}
	// An error here is a client that has gone away.
	if json.NewEncoder(c).Encode(r) == nil && file != nil {
		_, _ = io.Copy(c, file)
	}
}

func (k *Keeper) answer(ctx context.Context, q request, follows io.Reader) (r response, file *os.File) {
	var err error
	switch q.Op {
	case "export":
		file, r.Bytes, err = k.export(ctx, q)
	case "import":
		err = k.importFile(ctx, q, follows)
	case "current":
		r.State, err = k.Current()
	case "write":
		r.State, err = k.Write(ctx, q.Change)
	case "confirm":
		err = k.Confirm()
	case "history":
		r.History, err = k.History()
	default:
		err = fmt.Errorf("no such question: %.20q", q.Op)
	}
	if err != nil {
		r.Error = err.Error()
		for kind, known := range kinds {
			if errors.Is(err, known) {
				r.Kind = kind
			}
		}
	}
	return r, file
}

func readLine(r *bufio.Reader, into any) error {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}

// Client asks the keeper behind a socket.
type Client struct{ Path string }

// Current returns what is in force.
func (c Client) Current(ctx context.Context) (State, error) {
	r, err := c.ask(ctx, request{Op: "current"})
	return r.State, err
}

// Write puts a new file into force.
func (c Client) Write(ctx context.Context, change Change) (State, error) {
	r, err := c.ask(ctx, request{Op: "write", Change: change})
	return r.State, err
}

// Confirm lets an unconfirmed change stay.
func (c Client) Confirm(ctx context.Context) error {
	_, err := c.ask(ctx, request{Op: "confirm"})
	return err
}

// History returns the earlier files, latest first.
func (c Client) History(ctx context.Context) ([]Revision, error) {
	r, err := c.ask(ctx, request{Op: "history"})
	return r.History, err
}

func (c Client) ask(ctx context.Context, q request) (response, error) {
	return c.exchange(ctx, q, nil, nil)
}

// exchange asks, with a file behind the question or behind the answer.
func (c Client) exchange(ctx context.Context, q request, send io.Reader, get io.Writer) (r response, _ error) {
	conn, done, err := socket.Dial(ctx, c.Path, answerTime)
	if err != nil {
		return r, fmt.Errorf("ask for the settings: %w", err)
	}
	defer done()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return r, fmt.Errorf("ask for the settings: %w", err)
	}
	if send != nil {
		// A refusal may come before all was sent: what it says counts.
		_, _ = io.Copy(conn, send)
	}
	in := bufio.NewReader(conn)
	if err := readLine(in, &r); err != nil {
		return r, fmt.Errorf("ask for the settings: %w", err)
	}
	if r.Error != "" {
		if known := kinds[r.Kind]; known != nil {
			return r, &told{r.Error, known}
		}
		return r, errors.New(r.Error)
	}
	if get != nil {
		if _, err := io.CopyN(get, in, r.Bytes); err != nil {
			return r, fmt.Errorf("get the export: %w", err)
		}
	}
	return r, nil
}

// told is an error as the other side worded it.
type told struct {
	text string
	kind error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.kind }
