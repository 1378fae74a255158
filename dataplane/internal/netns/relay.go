package netns

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// relay moves frames from one TAP to another, and gets them into trouble. It
// ends when one of them is closed.
type relay struct {
	from, to *os.File
	trouble  Trouble
	done     *Done
	rng      *rand.Rand

	mu   sync.Mutex
	late late
	wake chan struct{}
	n    uint64
	id   uint32 // of the last packet that was cut into fragments
}

// late are frames on their way, the next one to arrive first.
type late []parcel

type parcel struct {
	due   time.Time
	n     uint64 // among those of one time, in order
	frame []byte // with virtio-net header
}

func (l late) Len() int      { return len(l) }
func (l late) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l late) Less(i, j int) bool {
	return l[i].due.Before(l[j].due) || l[i].due.Equal(l[j].due) && l[i].n < l[j].n
}
func (l *late) Push(x any) { *l = append(*l, x.(parcel)) }
func (l *late) Pop() any {
	o := *l
	x := o[len(o)-1]
	*l = o[:len(o)-1]
	return x
}

func (r *relay) read() {
	defer close(r.wake)
	buf := make([]byte, 70<<10)
	for {
		n, err := r.from.Read(buf)
		if err != nil {
			return
		}
		r.frame(buf[:n])
	}
}

// frame decides what becomes of a frame, which is only lent.
func (r *relay) frame(b []byte) {
	l3, l4 := tcpAt(b)
	if l4 == 0 {
		r.to.Write(b)
		return
	}
	tr := &r.trouble
	r.done.Frames.Add(1)
	lost, double, bad, overtaken := r.rng.Float64() < tr.Loss, r.rng.Float64() < tr.Duplicate, r.rng.Float64() < tr.Corrupt, r.rng.Float64() < tr.Reorder
	if lost {
		r.done.Lost.Add(1)
		return
	}
	if tr.Mark > 0 && r.rng.Float64() < tr.Mark && mark(b, l3, l4) {
		r.done.Marked.Add(1)
	}
	if double {
		r.done.Duplicated.Add(1)
		r.send(bytes.Clone(b), r.delay(r.rng.IntN(2) == 0))
	}
	if bad && r.corrupt(b, l3, l4) {
		r.done.Corrupted.Add(1)
	}
	if overtaken {
		r.done.Reordered.Add(1)
	}
	if !bad && r.rng.Float64() < tr.Fragment {
		if all := r.fragments(b, l3, l4); all != nil {
			r.done.Fragmented.Add(1)
			for _, f := range all {
				r.send(f, r.delay(overtaken))
			}
			return
		}
	}
	r.send(b, r.delay(overtaken))
}

func (r *relay) delay(late bool) time.Duration {
	if !late || r.trouble.Late == 0 {
		return r.trouble.Delay
	}
	return r.trouble.Delay + time.Duration(r.rng.Int64N(int64(r.trouble.Late)))
}

func (r *relay) send(b []byte, after time.Duration) {
	if after == 0 {
		r.to.Write(b)
		return
	}
	r.mu.Lock()
	r.n++
	heap.Push(&r.late, parcel{time.Now().Add(after), r.n, bytes.Clone(b)})
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// deliver writes frames when they are due.
func (r *relay) deliver() {
	for {
		r.mu.Lock()
		var next <-chan time.Time
		for len(r.late) > 0 && next == nil {
			if wait := time.Until(r.late[0].due); wait > 0 {
				next = time.After(wait)
				break
			}
			r.to.Write(heap.Pop(&r.late).(parcel).frame)
		}
		r.mu.Unlock()
		select {
		case _, open := <-r.wake:
			if !open {
				return
			}
		case <-next:
		}
	}
}

// corrupt sets one bit of what the checksums of IP and TCP cover. It clears
// none: a frame that meets it again on the other side of the box could else come
// out with a sum that fits, by a bit set and another cleared in the same column,
// and no receiver can tell. It leaves alone what a real path would never carry in
// this form, a segment that is yet to be cut; and the fields of IPv6 that nothing
// covers.
func (r *relay) corrupt(b []byte, l3, l4 int) bool {
	const needsCsum, gsoType = 1, 1
	if b[gsoType] != 0 {
		return false
	}
	if b[0]&needsCsum != 0 {
		start := vnetLen + int(binary.NativeEndian.Uint16(b[6:]))
		at := start + int(binary.NativeEndian.Uint16(b[8:]))
		if start < l4 || at+2 > len(b) {
			return false
		}
		var sum uint32
		for i := start; i < len(b); i += 2 {
			word := uint32(b[i]) << 8
			if i+1 < len(b) {
				word |= uint32(b[i+1])
			}
			sum += word
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(b[at:], ^uint16(sum))
	}
	clear(b[:vnetLen])
	first := l3
	if b[l3]>>4 == 6 {
		first = l3 + 8
	}
	for range 16 { // a bit that is not set is found soon
		i, bit := first+r.rng.IntN(len(b)-first), byte(1)<<r.rng.IntN(8)
		if b[i]&bit == 0 {
			b[i] |= bit
			return true
		}
	}
	return false
}

// mark sets congestion experienced (RFC 3168, 5) in a packet whose sender says
// that it can hear of it. It says whether it has.
func mark(b []byte, l3, l4 int) bool {
	const experienced = 3
	if b[l3]>>4 == 6 {
		if can := b[l3+1] >> 4 & experienced; can == 0 || can == experienced {
			return false
		}
		b[l3+1] |= experienced << 4
		return true
	}
	if can := b[l3+1] & experienced; can == 0 || can == experienced {
		return false
	}
	b[l3+1] |= experienced
	sumIPv4(b[l3:l4])
	return true
}

// tcpAt returns where IP and TCP header of a frame behind its virtio-net header
// begin; zeros if it is not TCP.
func tcpAt(b []byte) (l3, l4 int) {
	at := vnetLen + 12
	for len(b) > at+2 {
		switch binary.BigEndian.Uint16(b[at:]) {
		case 0x8100, 0x88a8:
			at += 4
			continue
		case 0x0800:
			if l3 = at + 2; len(b) >= l3+40 && b[l3+9] == 6 {
				return l3, l3 + int(b[l3]&15)*4
			}
		case 0x86dd:
			if l3 = at + 2; len(b) >= l3+60 && b[l3+6] == 6 {
				return l3, l3 + 40
			}
		}
		break
	}
	return 0, 0
}
