package port

import (
	"bytes"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Flags of a direction and states of a slot, as in bpf/maps.h.
const (
	flowPass    = 1
	flowBounded = 2
	flowHaste   = 4
	flowSettled = 1
)

// slotWords is struct flow_slot of bpf/maps.h.
type slotWords struct {
	dir    [2]dirWords
	state  uint32
	lent   uint32
	at     [2]uint32
	server uint8
	n      uint8
	link   [maxLink]byte
}

type dirWords struct {
	flags, seq, ack, limit uint32
	packets, bytes, mark   uint64
}

// The layouts must be one and the same.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(slotWords{})-unsafe.Sizeof(wireFlowSlot{})]
	_ = [1]struct{}{}[unsafe.Offsetof(slotWords{}.state)-unsafe.Offsetof(wireFlowSlot{}.State)]
	_ = [1]struct{}{}[unsafe.Offsetof(slotWords{}.link)-unsafe.Offsetof(wireFlowSlot{}.Link)]
)

// slotMemory is the memory of the map wp_slots, shared with the program.
type slotMemory struct {
	mem []byte
	n   uint32
}

func mapSlots(m *ebpf.Map) (*slotMemory, error) {
	n := m.MaxEntries()
	page := unix.Getpagesize()
	size := (int(n)*int(unsafe.Sizeof(slotWords{})) + page - 1) / page * page
	mem, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &slotMemory{mem, n}, nil
}

func (m *slotMemory) close() error { return unix.Munmap(m.mem) }

func (m *slotMemory) at(i uint32) *slotWords {
	return (*slotWords)(unsafe.Pointer(&m.mem[uintptr(i)*unsafe.Sizeof(slotWords{})]))
}

// clear makes the slot say nothing.
func (w *slotWords) clear() {
	w.set(FlowState{}, 0)
	w.lend(false)
	w.mark(Mark{})
	for i := range w.dir {
		atomic.StoreUint64(&w.dir[i].packets, 0)
		atomic.StoreUint64(&w.dir[i].bytes, 0)
	}
}

// set takes permissions away before it changes numbers, and gives them after.
// What was handed up before handed had its present value may still be with the
// engine.
func (w *slotWords) set(st FlowState, handed uint64) {
	if !st.Settled {
		atomic.StoreUint32(&w.state, 0)
	}
	for i := range w.dir {
		d, l := &w.dir[i], st.Lanes[i]
		var flags uint32
		if l.Pass {
			flags |= flowPass
		}
		if l.Bounded {
			flags |= flowBounded
		}
		if l.Haste {
			flags |= flowHaste
		}
		if !l.Pass {
			atomic.StoreUint32(&d.flags, flags)
		} else if atomic.LoadUint32(&d.flags)&flowPass == 0 {
			atomic.StoreUint64(&d.mark, handed)
		}
		atomic.StoreUint32(&d.seq, l.Seq)
		atomic.StoreUint32(&d.ack, l.Ack)
		atomic.StoreUint32(&d.limit, l.Limit)
		atomic.StoreUint32(&d.flags, flags)
	}
	if st.Settled {
		atomic.StoreUint32(&w.state, flowSettled)
	}
}

func (w *slotWords) get() FlowState {
	st := FlowState{Settled: atomic.LoadUint32(&w.state) == flowSettled}
	for i := range w.dir {
		d := &w.dir[i]
		flags := atomic.LoadUint32(&d.flags)
		st.Lanes[i] = Lane{Pass: flags&flowPass != 0, Bounded: flags&flowBounded != 0, Haste: flags&flowHaste != 0, Limit: atomic.LoadUint32(&d.limit),
			Seq: atomic.LoadUint32(&d.seq), Ack: atomic.LoadUint32(&d.ack)}
	}
	return st
}

// lend says whether the session's entry in wp_sessions counts, not the slot.
func (w *slotWords) lend(on bool) {
	var v uint32
	if on {
		v = 1
	}
	atomic.StoreUint32(&w.lent, v)
}

func (w *slotWords) isLent() bool { return atomic.LoadUint32(&w.lent) != 0 }

// mark and marked are for this process and the next: the program reads none of it.
func (w *slotWords) mark(m Mark) {
	w.at, w.server, w.n = m.Seq, uint8(m.Server), uint8(copy(w.link[:], m.Link))
}

func (w *slotWords) marked() Mark {
	return Mark{Server: Side(w.server & 1), Link: bytes.Clone(w.link[:min(w.n, maxLink)]), Seq: w.at}
}

func (w *slotWords) carried() uint64 {
	return atomic.LoadUint64(&w.dir[0].packets) + atomic.LoadUint64(&w.dir[1].packets)
}
