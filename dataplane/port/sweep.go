package port

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// sweepBatch is how many sessions are read by one system call.
const sweepBatch = 4096

// Sweep is what a walk through the sessions that the program follows has found.
type Sweep struct {
	Below, Above uint64
	Edited       uint64                // of both, those with edits that are settled
	Services     map[ServiceEnd]uint64 // of Below, by the server's address and port
	Expired      []Flow                // of Below, those that were silent for too long
	Strays       []Flow                // of Below, those of services that are not protected
	Bound        uint64                // others of such services: edited, so that they must stay
	Orphans      []Flow                // when asked for: all of Above, and those Below that the engine has not brought to an end
}

// ServiceEnd is the server's end of a session.
type ServiceEnd struct {
	Address [16]byte
	Port    uint16
}

// SweepSessions walks through the sessions. Those that were idle for longer than
// idle, or for longer than linger after a reset, are expired; those of which
// protected does not hold are strays. Between two batches it calls rest, unless
// that is nil, with what the one before took. It may run beside the loop: it
// changes nothing.
func (p *Port) SweepSessions(protected func(ServiceEnd) bool, idle, linger time.Duration, orphans bool, rest func(took time.Duration) error) (Sweep, error) {
	out := Sweep{Services: map[ServiceEnd]uint64{}}
	keys, values := make([]wireFlowKey, sweepBatch), make([]wireSession, sweepBatch)
	var cursor ebpf.MapBatchCursor
	for {
		began := time.Now()
		now := p.engine.now()
		n, err := p.objs.WpSessions.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return out, fmt.Errorf("walk through sessions: %w", err)
		}
		for i := range n {
			out.add(&keys[i], &values[i], now, protected, idle, linger, orphans)
		}
		if err != nil {
			return out, nil
		}
		if rest == nil {
			continue
		}
		if err := rest(time.Since(began)); err != nil {
			return out, err
		}
	}
}

func (o *Sweep) add(k *wireFlowKey, w *wireSession, now uint64, protected func(ServiceEnd) bool, idle, linger time.Duration, orphans bool) {
	known := sessionOf(w)
	if known.Edited && known.Settled() {
		o.Edited++
	}
	if w.State == sessionAbove {
		o.Above++
		if orphans {
			o.Orphans = append(o.Orphans, flowOf(*k))
		}
		return
	}
	o.Below++
	if orphans && !known.OnItsOwn() {
		o.Orphans = append(o.Orphans, flowOf(*k))
	}
	end := ServiceEnd{k.Addr[1], networkOrder(k.Port[1])}
	o.Services[end]++
	if !protected(end) && w.Flags&sessionEdited != 0 && !w.expired(now, idle, linger) {
		o.Bound++
	} else if !protected(end) {
		o.Strays = append(o.Strays, flowOf(*k))
	} else if w.expired(now, idle, linger) {
		o.Expired = append(o.Expired, flowOf(*k))
	}
}

func (w *wireSession) expired(now uint64, idle, linger time.Duration) bool {
	age := time.Duration(max(int64(now-w.Used), 0))
	return age > idle || w.Flags&sessionReset != 0 && age > linger
}

// Expire forgets a session if it is still below and expired. It says whether it
// did.
func (p *Port) Expire(f Flow, idle, linger time.Duration) (bool, error) {
	k := flowKey(f)
	var w wireSession
	err := p.objs.WpSessions.LookupWithFlags(&k, &w, ebpf.LookupLock)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look session up: %w", err)
	}
	if w.State == sessionAbove || !w.expired(p.engine.now(), idle, linger) {
		return false, nil
	}
	return true, p.Forget(f)
}
