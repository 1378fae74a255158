package packet

import (
	"encoding/binary"
	"slices"
	"time"
)

// fragment is what the headers of a fragment say (RFC 791; RFC 8200, 4.5).
type fragment struct {
	id     uint32
	proto  byte
	offset int // in bytes
	more   bool
}

// Bounds of a Reassembler.
const (
	maxDatagrams  = 1024
	maxFragments  = 64      // of one datagram
	maxFragBytes  = 4 << 20 // in all
	fragmentsLive = 15 * time.Second
)

// Reassembler collects the fragments of datagrams until they are whole. A
// datagram of which two fragments overlap is discarded: which bytes count
// differs between systems (RFC 5722). Its zero value is ready for use.
type Reassembler struct {
	m     map[fragKey]*datagram
	bytes int
}

type fragKey struct {
	src, dst [16]byte
	id       uint32
	proto    byte
	vlan     uint32
	v6       bool
}

type datagram struct {
	born  int64
	parts []part
	size  int // payload bytes of the whole, -1 until the last fragment is here
	bad   bool
	bytes int
}

type part struct {
	frame  Frame
	offset int
	len    int
}

// MayBeOurs says, after Parse returned ErrFragment, whether the datagram can
// hold TCP or UDP.
func (f *Frame) MayBeOurs() bool {
	switch f.frag.proto {
	case protoTCP, protoUDP:
		return true
	case 0, 43, 60:
		return f.V6
	}
	return false
}

// Add takes a fragment, of which Parse returned ErrFragment, at time now in
// nanoseconds. When the datagram is complete it returns it as one frame, and
// the fragments' own frames in the order they arrived.
func (r *Reassembler) Add(f *Frame, now int64) (whole []byte, parts [][]byte) {
	k := fragKey{f.Src, f.Dst, f.frag.id, f.frag.proto, f.VLAN, f.V6}
	d := r.m[k]
	if d == nil {
		if len(r.m) >= maxDatagrams || r.bytes > maxFragBytes {
			return nil, nil
		}
		if r.m == nil {
			r.m = map[fragKey]*datagram{}
		}
		d = &datagram{born: now, size: -1}
		r.m[k] = d
	}
	d.add(f)
	if d.bad {
		r.bytes -= d.bytes
		d.bytes = 0
		return nil, nil
	}
	r.bytes += len(f.Data)
	d.bytes += len(f.Data)
	if !d.complete() {
		return nil, nil
	}
	r.drop(k, d)
	for i := range d.parts {
		parts = append(parts, d.parts[i].frame.Data)
	}
	return d.join(), parts
}

func (r *Reassembler) drop(k fragKey, d *datagram) {
	r.bytes -= d.bytes
	delete(r.m, k)
}

// Expire forgets datagrams that did not become whole in time.
func (r *Reassembler) Expire(now int64) {
	for k, d := range r.m {
		if now-d.born >= int64(fragmentsLive) {
			r.drop(k, d)
		}
	}
}

// spoil marks a datagram that must never be put together. It is kept without
// its bytes, so that later fragments do not begin a new one.
func (d *datagram) spoil() { d.bad, d.parts = true, nil }

func (d *datagram) add(f *Frame) {
	n := f.End - f.L4
	end := f.frag.offset + n
	switch {
	case d.bad:
		return
	case n <= 0, f.frag.more && n%8 != 0, end > 65535-60, len(d.parts) >= maxFragments,
		d.size >= 0 && end > d.size, d.size >= 0 && !f.frag.more:
		d.spoil()
		return
	}
	if !f.frag.more {
		d.size = end
	}
	for i := range d.parts {
		p := &d.parts[i]
		if p.offset < end && f.frag.offset < p.offset+p.len || d.size >= 0 && p.offset+p.len > d.size {
			d.spoil()
			return
		}
	}
	c := *f
	c.Data = slices.Clone(f.Data)
	d.parts = append(d.parts, part{c, f.frag.offset, n})
}

func (d *datagram) complete() bool {
	if d.size < 0 {
		return false
	}
	n := 0
	for i := range d.parts {
		n += d.parts[i].len
	}
	return n == d.size // nothing overlaps
}

// join puts the datagram together behind the headers of its first fragment.
func (d *datagram) join() []byte {
	var first *Frame
	for i := range d.parts {
		if d.parts[i].offset == 0 {
			first = &d.parts[i].frame
		}
	}
	if first == nil {
		return nil
	}
	head := first.L4
	if first.V6 {
		head -= 8 // without the fragment header
	}
	b := make([]byte, head+d.size)
	copy(b, first.Data[:head])
	for i := range d.parts {
		p := &d.parts[i]
		copy(b[head+p.offset:], p.frame.Data[p.frame.L4:p.frame.L4+p.len])
	}
	ip := b[first.L3:]
	if first.V6 {
		b[first.protoAt] = first.frag.proto
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-ipv6Len))
		return b
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	binary.BigEndian.PutUint16(ip[6:], 0)
	f := Frame{Data: b, L3: first.L3, L4: head, End: len(b)}
	f.PutIPv4Checksum()
	return b
}
