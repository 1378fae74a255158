package main

import (
	"context"
	"sync"
	"time"

	"wirepatch/init/gpio"
)

// relay is the board's bypass relay and its lights. On, the relay joins the two
// wire ports outside the box:
//
//	from power-on until the wire forwards      joined
//	while the box runs                         apart
//	the box goes down, or init fails           joined, before anything stops
//	kernel panic, hang, no power               joined by the hardware: at rest it joins
//	a wire port is missing                     joined
type relay struct {
	mu    sync.Mutex
	line  *gpio.Line // nil: the board has none
	light map[string]*gpio.Line
	down  bool // the box goes down: it stays joined
}

// The lights that a board may have.
const (
	lightForwarding = "forwarding"
	lightFault      = "fault"
)

// openRelay takes hold of the board's lines, as soon as their drivers are there.
func (b *box) openRelay(root string) {
	r := &b.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := b.board.Bypass; l.Chip != "" {
		b.step("bypass relay", func() (err error) { r.line, err = gpio.Open(root, l, true); return err })
		if r.line != nil {
			b.journal.Logf("bypass relay: joins the wire ports until the box forwards")
		}
	}
	r.light = map[string]*gpio.Line{}
	for name, l := range b.board.Lights {
		b.step("light "+name, func() error {
			line, err := gpio.Open(root, l, false)
			if err == nil {
				r.light[name] = line
			}
			return err
		})
	}
}

// join has the relay join the ports, or part them. Once the box goes down it
// stays joined.
func (b *box) join(on bool) {
	r := &b.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line == nil || !on && r.down {
		return
	}
	if err := r.line.Set(on); err != nil {
		b.journal.Logf("bypass relay: %v", err)
	}
}

// joinForGood is the first that happens when the box goes down.
func (b *box) joinForGood() {
	b.relay.mu.Lock()
	b.relay.down = true
	b.relay.mu.Unlock()
	b.join(true)
	b.show(lightForwarding, false)
}

func (b *box) show(light string, on bool) {
	r := &b.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.light[light]; l != nil {
		if err := l.Set(on); err != nil {
			b.journal.Logf("light %s: %v", light, err)
		}
	}
}

// followWire parts the ports once the box forwards, and shows on the lights how
// it is.
func (b *box) followWire(ctx context.Context) {
	select {
	case <-b.forwarding:
	case <-ctx.Done():
		return
	}
	b.join(false)
	b.show(lightForwarding, true)
	if len(b.board.Lights) == 0 {
		return
	}
	for ; ctx.Err() == nil; time.Sleep(2 * time.Second) {
		b.show(lightFault, len(b.vitals(ctx).faults()) > 0)
	}
}
