// Package demo shows the appliance at work: the same requests straight to the
// vulnerable server, through the appliance, and to the build with the vendors'
// patches, and whether what comes through is what the patches make of it.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"wirepatch/qemu/lab"
)

// Ways are the three ways on which requests are sent.
type Ways struct {
	Straight string         // TCP address of the vulnerable server
	Patched  string         // TCP address of the patched server
	Lab      *lab.Lab       // whose client host reaches the vulnerable one through the appliance
	Service  netip.AddrPort // at this address
	// First is called when the first corrected answer has come.
	First func()
}

// result is a step with the outcomes of all ways.
type result struct {
	*step
	straight, through, patched *outcome
	received, returned         []byte // the session as the server saw it
	passed, got                []byte // and as the client did
	faults                     []error
}

// Run sends all requests and shows on out what becomes of them. Its error
// names every check that failed.
func Run(ctx context.Context, w Ways, out *Printer) error {
	var errs []error
	for i := range steps {
		r, err := w.step(ctx, &steps[i])
		if err != nil {
			out.failed(i+1, &steps[i], err)
			errs = append(errs, fmt.Errorf("step %d: %w", i+1, err))
			continue
		}
		r.check()
		if len(r.faults) == 0 && r.flaw != "" && w.First != nil {
			w.First()
			w.First = nil
		}
		out.step(i+1, r)
		for _, f := range r.faults {
			errs = append(errs, fmt.Errorf("step %d: %w", i+1, f))
		}
	}
	return errors.Join(errs...)
}

func (w *Ways) step(ctx context.Context, s *step) (*result, error) {
	r := &result{step: s}
	var err error
	if r.straight, err = direct(ctx, w.Straight, s); err != nil {
		return nil, fmt.Errorf("straight: %w", err)
	}
	if r.patched, err = direct(ctx, w.Patched, s); err != nil {
		return nil, fmt.Errorf("patched build: %w", err)
	}
	if err = w.throughWire(ctx, r); err != nil {
		return nil, fmt.Errorf("through the appliance: %w", err)
	}
	return r, nil
}

func direct(ctx context.Context, address string, s *step) (*outcome, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return s.run(newPeer(c))
}

// throughWire fills in what concerns the appliance.
func (w *Ways) throughWire(ctx context.Context, r *result) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	c, err := w.Lab.Client.Dial(ctx, w.Service)
	if err != nil {
		return err
	}
	defer c.Close()
	log := &logged{Conn: c}
	if r.through, err = r.run(newPeer(log)); err != nil {
		return err
	}
	client, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return err
	}
	r.received, r.returned = w.Lab.Recorded(client)
	r.passed, r.got = log.sent.Bytes(), log.received.Bytes()
	return nil
}

// logged keeps what goes over a connection.
type logged struct {
	net.Conn
	sent, received bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.sent.Write(b)
	return l.Conn.Write(b)
}

func (l *logged) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.received.Write(b[:n])
	return n, err
}

// check fills in the faults.
func (r *result) check() {
	fault := func(format string, a ...any) { r.faults = append(r.faults, fmt.Errorf(format, a...)) }
	straight, through, patched := r.straight.answer.comparable(), r.through.answer.comparable(), r.patched.answer.comparable()
	if through != patched {
		fault("through the appliance comes\n%s\nbut the patched build answers\n%s", through, patched)
	}
	if r.alike {
		if !bytes.Equal(r.passed, r.received) {
			fault("the client sent %q, the server received %q", r.passed, r.received)
		}
		if !bytes.Equal(r.returned, r.got) {
			fault("the server sent %q, the client received %q", r.returned, r.got)
		}
		if straight != through {
			fault("straight comes\n%s\nbut through the appliance\n%s", straight, through)
		}
		return
	}
	if straight == patched {
		fault("the vulnerable server answers like the patched one: it shows no flaw")
	}
	if r.after != "" && r.through.rest.comparable() != r.patched.rest.comparable() {
		fault("the next request on the connection is answered with %s, want %s", r.through.rest.Status, r.patched.rest.Status)
	}
}
