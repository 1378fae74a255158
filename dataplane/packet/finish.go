package packet

import (
	"encoding/binary"
	"errors"
)

// ErrUnfinished says that a virtio-net header asks for what does not fit its
// frame.
var ErrUnfinished = errors.New("virtio header does not fit its frame")

// Finisher does what a virtio-net header leaves to do, where no kernel does it:
// it completes the checksum and cuts segments. Its zero value is ready for use;
// it keeps the memory of the last segment.
type Finisher struct{ buf []byte }

// Finish gives emit the frames as they are to be on the wire, in order, each
// lent until emit returns, and returns its first error.
func (w *Finisher) Finish(v VNet, frame []byte, emit func(frame []byte) error) error {
	if v.GSOType == GSONone {
		if v.Flags&VNetNeedsCsum == 0 {
			return emit(frame)
		}
		w.buf = append(w.buf[:0], frame...)
		if err := complete(w.buf, int(v.CsumStart), int(v.CsumOffset)); err != nil {
			return err
		}
		return emit(w.buf)
	}
	return w.cut(v, frame, emit)
}

// complete writes the checksum over frame from start to at, from there on. The
// field holds the pseudo header's sum. A sum of zero is written as its other
// form: it would mean that there is none (RFC 768).
func complete(frame []byte, start, at int) error {
	if start+at+2 > len(frame) {
		return ErrUnfinished
	}
	c := ^fold(sum(frame[start:], 0))
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(frame[start+at:], c)
	return nil
}

// cut makes TCP segments of v.GSOSize as the kernel does (tcp_gso_segment): FIN
// and PSH only on the last, CWR only on the first, IPv4 identifications that
// count up.
func (w *Finisher) cut(v VNet, frame []byte, emit func([]byte) error) error {
	var f Frame
	if err := f.Parse(frame); err != nil || f.L4 != int(v.CsumStart) || v.GSOSize == 0 || v.GSOType&^GSOECN != gsoOf(&f) {
		return ErrUnfinished
	}
	size, body, seq := int(v.GSOSize), f.Body(), f.Seq()
	for n, at := 0, 0; at == 0 || at < len(body); n, at = n+1, at+size {
		part := body[at:min(at+size, len(body))]
		b := append(append(w.buf[:0], frame[:f.Payload]...), part...)
		w.buf = b
		g := f
		g.Data, g.End = b, len(b)
		binary.BigEndian.PutUint32(b[f.L4+4:], seq+uint32(at))
		if at > 0 {
			b[f.L4+13] &^= CWR
		}
		if at+size < len(body) {
			b[f.L4+13] &^= FIN | PSH
		}
		if !f.V6 {
			binary.BigEndian.PutUint16(b[f.L3+4:], binary.BigEndian.Uint16(frame[f.L3+4:])+uint16(n))
		}
		g.PutIPLength()
		g.PutPartialChecksum()
		if err := complete(b, f.L4, 16); err != nil {
			return err
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}

func gsoOf(f *Frame) uint8 {
	if f.V6 {
		return GSOTCPv6
	}
	return GSOTCPv4
}
