package session

import (
	"encoding/binary"

	"wirepatch/dataplane/packet"
)

// translate writes into f, a segment of h's sender, the numbers that its
// receiver knows: out for the sequence number, and acknowledgement, selective
// acknowledgements and window of the stream that the receiver sends.
func (s *Session) translate(h, r *half, v packet.VNet, f *packet.Frame, out int64) {
	partial := v.Flags&packet.VNetNeedsCsum != 0
	var b [4]byte
	if seq := h.seq(out); seq != f.Seq() {
		binary.BigEndian.PutUint32(b[:], seq)
		f.Rewrite(4, b[:], partial)
	}
	if f.Flags&packet.ACK == 0 || !r.known {
		return
	}
	ackOut := min(r.outOffset(f.Ack()), max(r.sent, r.una))
	in := r.edits.inAcked(ackOut)
	if r.acked > 0 { // else nothing was: a session picked up may begin beyond what its receiver has
		in = max(in, r.acked)
	}
	r.told = max(r.told, in)
	if r.edits.none() && in == ackOut && ackOut == r.outOffset(f.Ack()) {
		return // with what the header says already
	}
	if ack := r.seq(in); ack != f.Ack() {
		binary.BigEndian.PutUint32(b[:], ack)
		f.Rewrite(8, b[:], partial)
	}
	if f.Flags&packet.RST != 0 {
		return
	}
	if w := s.windowFor(r, h, ackOut, in, f.Window()); w != f.Window() {
		binary.BigEndian.PutUint16(b[:], w)
		f.Rewrite(14, b[:2], partial)
	}
	s.translateSACK(r, f, in, partial)
}

// windowFor is the window field to tell the sender of r when its receiver, h's
// sender, advertised window at ackOut and the acknowledgement becomes in. The
// right edge, where the receiver's buffer ends, stays where it is: what edits
// have added and what we acknowledged in advance is taken off.
func (s *Session) windowFor(r, h *half, ackOut, in int64, window uint16) uint16 {
	if s.ended {
		return window
	}
	win := int64(window) << h.scale
	reached := min(r.rel, r.top)
	grown := (r.edits.outTo(reached) - ackOut) - (reached - r.edits.inAcked(ackOut))
	edge := r.edits.inAcked(ackOut) + win - max(grown, 0)
	w := edge - in
	if in > r.edits.inAcked(ackOut) && len(r.pend) > 0 {
		// We hold these bytes ourselves, and the rest of the message must come
		// before anything can be decided.
		w = max(w, int64(s.e.cfg.Limits.Held/2-len(r.pend)))
	}
	w = min(max(w, 0), 65535<<h.scale)
	return uint16(w >> h.scale)
}

// translateSACK turns the blocks, output offsets of r, into input offsets. A
// block of which nothing remains is taken out; so is one below acked, which
// we acknowledge ourselves: it would read as a report of a duplicate (RFC 2883).
func (s *Session) translateSACK(r *half, f *packet.Frame, acked int64, partial bool) {
	blocks := packet.SACKBlocks(f.Options())
	if blocks == nil {
		return
	}
	var opts [40]byte
	n := copy(opts[:], f.Options())
	blocks = packet.SACKBlocks(opts[:n])
	keep := 0
	for i := 0; i < len(blocks); i += 8 {
		out := r.outOffset(be32(blocks[i:]))
		if out < r.una {
			continue // old news, and the edits there are forgotten
		}
		from := r.edits.inFrom(out)
		to := r.edits.inAcked(r.outOffset(be32(blocks[i+4:])))
		if from >= to || to <= acked && acked == r.acked {
			continue
		}
		binary.BigEndian.PutUint32(blocks[keep:], r.seq(from))
		binary.BigEndian.PutUint32(blocks[keep+4:], r.seq(to))
		keep += 8
	}
	packet.ShrinkSACK(opts[:n], keep)
	f.Rewrite(20, opts[:n], partial)
}
