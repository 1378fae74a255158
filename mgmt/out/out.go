// Package out sends events and audit records to other systems: syslog by RFC
// 5424 over UDP, TCP or TLS, as text, CEF or EVE JSON, and webhooks. It keeps no
// queue: each output remembers how far it got in the store of events and in the
// audit log, and goes on from there when its receiver is back or the box is. So
// what the store holds is what cannot get lost on the way; what the store has
// given up meanwhile is said in a gap record.
package out

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"sync"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/hook"
	"wirepatch/mgmt/store"
)

// Schema is what is kept of outputs, beside the audit log.
const Schema = `
CREATE TABLE output(name TEXT PRIMARY KEY, body BLOB NOT NULL, event INTEGER NOT NULL, audit INTEGER NOT NULL) WITHOUT ROWID;
`

// Formats of syslog's body.
const (
	Text = "text"
	CEF  = "cef"
	EVE  = "eve" // corrections only
)

// Output says where to and how.
type Output struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`          // "udp", "tcp", "tls": syslog; "webhook"
	Target string `json:"target"`        // host:port, or the webhook's address
	Format string `json:"format"`        // of syslog
	CA     string `json:"ca"`            // PEM: who may have signed the receiver's certificate; "": the system's
	Secret string `json:"-"`             // of a webhook, to sign with
	Key    string `json:"key,omitempty"` // the same, as it is stored
}

// maxOutputs bounds how many there are.
const maxOutputs = 8

var (
	// ErrInput is what is wrong with an output.
	ErrInput = errors.New("this cannot be taken")
	// ErrNone says that there is no such output.
	ErrNone = errors.New("there is no such output")
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// Check says what is wrong with an output.
func (o Output) Check() error {
	if !nameForm.MatchString(o.Name) {
		return fmt.Errorf("%w: name: 1 to 32 letters, digits, dots, dashes", ErrInput)
	}
	if o.Kind == "webhook" {
		u, err := url.Parse(o.Target)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			return fmt.Errorf("%w: target: got %.100q, want an address that begins with https:// or http://", ErrInput, o.Target)
		}
	} else if h, p, err := net.SplitHostPort(o.Target); err != nil || h == "" || p == "" {
		return fmt.Errorf("%w: target: got %.100q, want host:port", ErrInput, o.Target)
	}
	switch o.Kind {
	case "udp", "tcp", "tls":
		if o.Format != Text && o.Format != CEF && o.Format != EVE {
			return fmt.Errorf("%w: format: got %.20q, want text, cef or eve", ErrInput, o.Format)
		}
	case "webhook":
	default:
		return fmt.Errorf("%w: kind: got %.20q, want udp, tcp, tls or webhook", ErrInput, o.Kind)
	}
	if _, err := hook.Roots(o.CA); err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	return nil
}

// Status is how an output is doing.
type Status struct {
	Output
	Event   uint64    `json:"event"` // the last record that went out
	Audit   uint64    `json:"audit"`
	Waiting uint64    `json:"waiting"` // records that have not
	Lost    uint64    `json:"lost"`    // given up before they could, since start
	Error   string    `json:"error"`   // "" while the receiver takes them
	Since   time.Time `json:"since"`   // of the error
}

// Sender runs the outputs.
type Sender struct {
	DB     *store.DB
	Events *events.Store
	Audit  *audit.Log
	Host   func() string
	Now    func() time.Time
	Log    *slog.Logger

	mu      sync.Mutex
	ctx     context.Context
	running map[string]*worker
}

// Start begins sending; it ends with ctx.
func (s *Sender) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.running = ctx, map[string]*worker{}
	// Where the file of events was begun anew, so were its numbers.
	last := s.Events.Resume().Seq
	rows, err := s.DB.Read.Query("SELECT body, event, audit FROM output")
	if err != nil {
		return fmt.Errorf("read outputs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		w := &worker{sender: s}
		if err := rows.Scan(&body, &w.event, &w.audit); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &w.output); err != nil {
			return err
		}
		w.output.Secret, w.event = w.output.Key, min(w.event, last)
		s.start(w)
	}
	return rows.Err()
}

func (s *Sender) start(w *worker) {
	ctx, stop := context.WithCancel(s.ctx)
	w.stop, w.done = stop, make(chan struct{})
	s.running[w.output.Name] = w
	go func() {
		defer close(w.done)
		w.run(ctx)
	}()
}

// Add begins an output with what happens from now on, or changes one, which
// goes on where it is.
func (s *Sender) Add(o Output) error {
	if err := o.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &worker{sender: s, output: o}
	if old := s.running[o.Name]; old != nil {
		old.stop()
		<-old.done
		w.event, w.audit = old.event, old.audit
	} else {
		if len(s.running) >= maxOutputs {
			return fmt.Errorf("%w: there are %d outputs already", ErrInput, maxOutputs)
		}
		w.event = s.Events.Resume().Seq
		head, err := s.Audit.Head()
		if err != nil {
			return err
		}
		w.audit = head.Seq
	}
	o.Key = o.Secret
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = s.DB.Write.Exec("INSERT INTO output VALUES (?1,?2,?3,?4) ON CONFLICT(name) DO UPDATE SET body = ?2", o.Name, body, w.event, w.audit)
	if err != nil {
		return err
	}
	s.start(w)
	return nil
}

// Remove ends an output.
func (s *Sender) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.running[name]
	if w == nil {
		return ErrNone
	}
	w.stop()
	<-w.done
	delete(s.running, name)
	_, err := s.DB.Write.Exec("DELETE FROM output WHERE name = ?", name)
	return err
}

// Status tells how the outputs are doing, by name.
func (s *Sender) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.Events.Resume().Seq
	head, _ := s.Audit.Head()
	all := []Status{}
	for _, w := range s.running {
		st := w.status()
		st.Waiting = last - min(last, st.Event) + head.Seq - min(head.Seq, st.Audit)
		st.Key = ""
		all = append(all, st)
	}
	sortStatus(all)
	return all
}
