package sim

import (
	"bytes"
	"hash/fnv"
	"slices"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// books are what the ports of the simulation know of the session, which they
// follow by the rules of the BPF program (port/bpf/follow.h), told once more.
// What they would find simple is drawn by lot, and what of a request they take
// out; a response may have a body, which passes whatever it is.
type books struct {
	s     *run
	known bool
	over  bool // it has ended, as far as the ports could see
	again bool // the engine had given the session up, and took it
	holds bool // what it then was told of the session holds
	r     session.Resting
}

// Take implements session.Below.
func (b *books) Take(session.Conn, uint32) (session.Resting, bool, bool) {
	r := b.r
	b.again = b.again || r.Followed
	b.holds = r.Followed && !r.Stale
	b.known, b.r.Above, b.r.Stale = true, true, false
	if !r.Edited {
		b.r = session.Resting{Above: true}
	}
	b.s.trace("                       taken: %+v", r)
	return r, r.Followed, true
}

// Lend implements session.Below.
func (b *books) Lend(_ session.Conn, _ uint32, r session.Resting, _ session.Side) bool {
	if !b.known || !b.r.Above {
		b.s.fail("a session is lent that is not the engine's")
	}
	b.r = r
	b.s.trace("                       lent: %+v", r)
	return true
}

// Recall implements session.Below.
func (b *books) Recall(session.Conn, uint32) (session.Resting, bool) {
	if !b.known || !b.r.Followed {
		return session.Resting{}, false
	}
	if b.r.Stale {
		return b.r, true
	}
	b.r.Above = true
	b.s.trace("                       recalled: %+v", b.r)
	return b.r, true
}

// Look implements session.Below.
func (b *books) Look(session.Conn, uint32) (session.Resting, bool) {
	return b.r, b.known && b.r.Followed
}

// Forget implements session.Below.
func (b *books) Forget(session.Conn, uint32, bool) { b.forget() }

// Sum implements session.Below.
func (b *books) Sum(m []byte) uint64 {
	h := fnv.New64a()
	h.Write(m)
	return h.Sum64()
}

// follow has the ports take a frame of d on by themselves. It says whether they
// did: not with one whose checksum is wrong, seen is nil, which the engine discards.
func (s *run) follow(d session.Direction, seen *view, f []byte, v packet.VNet) bool {
	var p packet.Frame
	b := &s.books
	if !s.cfg.Lend || seen == nil || p.Parse(f) != nil {
		return false
	}
	to := session.B
	if d == session.ToClient {
		to = session.A
	}
	if !b.known && s.slot == nil && len(p.Body()) == 0 && p.Flags&(packet.SYN|packet.FIN|packet.URG) == 0 {
		s.Send(to, v, p.Data) // of a session that is over
		return true
	}
	if !b.known || b.r.Above || b.r.Stale {
		return false
	}
	piece := 0
	if v.GSOType != packet.GSONone {
		piece = int(v.GSOSize)
	}
	lane, gone, ok := b.commit(d, &p, piece)
	if !ok {
		if r := &b.r.Half[d.Other()]; r.CutLen > 0 && p.Flags&(packet.SYN|packet.RST|packet.URG|packet.ACK) == packet.ACK {
			if ack := p.Ack() - r.Delta; int32(ack-r.Edge) >= 0 && int32(ack-r.Top) <= 0 && int32(ack-r.Acked) > 0 {
				r.Acked = ack // it has that, whatever becomes of the segment
			}
		}
		b.r.Above = true
		return false
	}
	h, r := &b.r.Half[d], &b.r.Half[d.Other()]
	if gone.n > 0 {
		v = cutOut(&p, gone)
	}
	shift(&p, lane, v.Flags&packet.VNetNeedsCsum != 0)
	s.note(d, seen)
	s.trace("                       followed")
	if !b.r.Edited && h.Fin && r.Fin && h.Acked == h.Top && r.Acked == r.Top {
		b.forget()
		b.over = true
		s.strict = false // what is still repeated of it is picked up anew, and asked about
	}
	s.Send(to, v, p.Data)
	return true
}

func frozen(h *session.RestingHalf) bool { return h.Edged && int32(h.Acked-h.Edge) < 0 }

// hole is what is taken out of a message: where, and how much.
type hole struct{ at, n uint32 }

// cutOut takes it out of a segment.
func cutOut(p *packet.Frame, c hole) packet.VNet {
	at := p.Payload + int(c.at)
	p.Data = append(append([]byte(nil), p.Data[:at]...), p.Data[at+int(c.n):p.End]...)
	p.End = len(p.Data)
	p.PutIPLength()
	p.PutPartialChecksum()
	return packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(p.L4), CsumOffset: 16}
}

// commit enters a segment in the books, which is of pieces of a size if it is
// several. It says whether it may go on, with what is to be added to its numbers
// and taken out of it.
func (b *books) commit(d session.Direction, p *packet.Frame, piece int) (l session.Lane, c hole, ok bool) {
	h, r := &b.r.Half[d], &b.r.Half[d.Other()]
	ack, n, fin := p.Ack()-r.Delta, uint32(len(p.Body())), p.Flags&packet.FIN != 0
	from := p.Seq()
	again := n > 0 && from == h.From && h.Size > 0 && n >= h.Size
	l = session.Lane{Seq: h.Delta, Ack: -r.Delta}
	if p.Flags&(packet.SYN|packet.RST|packet.URG|packet.ACK) != packet.ACK || int32(ack-r.Top) > 0 {
		return l, c, false
	}
	blocks := packet.SACKBlocks(p.Options())
	if b.r.Edited {
		for blocks := blocks; len(blocks) >= 8; blocks = blocks[8:] {
			if int32(be32(blocks)-r.Delta-r.Edge) < 0 {
				return l, c, false
			}
		}
	}
	switch short := int32(ack-r.Edge) < 0; {
	case short && r.CutLen > 0:
		ack -= r.CutLen
		l.Ack -= r.CutLen
		if len(blocks) > 0 || int32(ack-r.From) > 0 {
			return l, c, false
		}
	case short && frozen(r):
		return l, c, false
	}
	switch {
	case !h.Edged:
	case int32(from-h.Edge) < 0:
		if h.CutLen == 0 || fin || !again && (n > 0 || int32(from-h.From) > 0) {
			return l, c, false
		}
		l.Seq += h.CutLen
	case (n > 0 || fin) && frozen(h):
		return l, c, false
	}
	ok = b.enter(d, p, piece, again, ack)
	if n > 0 && from == h.From {
		c = hole{h.Cut, h.CutLen}
	}
	return l, c, ok
}

// enter does the part of commit that is about what the segment holds.
func (b *books) enter(d session.Direction, p *packet.Frame, piece int, again bool, ack uint32) bool {
	h, r := &b.r.Half[d], &b.r.Half[d.Other()]
	n, fin := uint32(len(p.Body())), p.Flags&packet.FIN != 0
	from, end := p.Seq(), p.Seq()+n
	switch {
	case n == 0:
		if int32(from-h.Top) > 0 || h.Top-from > 1<<24 {
			return false
		}
	case h.Size > 0 && int32(from-(h.From+h.Size)) >= 0 && int32(end-h.Next) <= 0: // of a body
	case again:
		if b.Sum(p.Body()[:h.Size]) != h.Sum || int32(end-h.Next) > 0 || h.CutLen > 0 && n != h.Size {
			return false
		}
	case from == h.Next && h.Top == h.Next && h.Acked == h.Next && !h.Fin && b.r.Pending == (d == session.ToClient) && (piece == 0 || d == session.ToClient) && fits(h, r, n, piece) && b.s.simple(d, p.Body()):
		b.r.Pending = true
		h.From, h.Size, h.Next = from, n, end+b.s.body(d)
		if piece > 0 { // the head is within the first of them
			h.Size = min(n, uint32(piece))
		}
		h.Sum = b.Sum(p.Body()[:h.Size])
		if h.CutLen = 0; d == session.ToServer {
			b.strike(h, p.Body())
		}
	default:
		return false
	}
	if fin && (end != h.Next || !h.Fin && int32(h.Top-end) > 0) {
		return false
	}
	if n > 0 && int32(end-h.Top) > 0 {
		h.Top = end
		b.r.Pending = b.r.Pending && (d == session.ToServer || h.Top != h.Next)
	}
	if fin && !h.Fin {
		h.Fin, h.Top = true, end+1
		b.s.insp.dirs[d].eof = true
	}
	if int32(ack-r.Acked) >= 0 {
		r.Acked, h.Window = ack, p.Window()
	}
	if at := packet.TimestampAt(p.Options()); at >= 0 {
		if stamp := be32(p.Options()[at:]); int32(stamp-h.Stamp) > 0 {
			h.Stamp = stamp
		}
	}
	return true
}

// fits says whether a message's head is within the window of the receiver of h,
// which r's sender has advertised; that need not be so where the engine has added to
// the stream.
func fits(h, r *session.RestingHalf, n uint32, piece int) bool {
	if piece > 0 {
		n = min(n, uint32(piece))
	}
	return !h.Edged || n <= uint32(r.Window)<<r.Scale
}

// strike takes something out of a request that goes on by itself, perhaps, and
// has the model know it.
func (b *books) strike(h *session.RestingHalf, body []byte) {
	s := b.s
	if len(body) < 3 || !s.chance(s.cfg.Strike) {
		return
	}
	h.Cut = 1 + uint32(s.rng.IntN(len(body)-2))
	h.CutLen = 1 + uint32(s.rng.IntN(len(body)-int(h.Cut)-1))
	h.Delta -= h.CutLen
	h.Edge, h.Edged, b.r.Edited = h.Next, true, true
	b.r.Request = bytes.Clone(body)
	m := &s.insp.dirs[session.ToServer]
	at := len(m.expected) - len(body) + int(h.Cut)
	m.expected = slices.Delete(m.expected, at, at+int(h.CutLen))
	s.strict = false
	s.trace("                       struck: %d at %d", h.CutLen, h.Cut)
}

// simple says whether the ports let a message go on by themselves, and has the
// model count it as released.
func (s *run) simple(d session.Direction, body []byte) bool {
	p := s.insp
	m := &p.dirs[d]
	if !s.chance(s.cfg.Simple) || m.pos+len(body) > len(s.ends[d].script) {
		return false
	}
	m.expected = append(m.expected, body...)
	m.pos += len(body)
	m.need = 0
	return true
}

// body draws how long the body of a message is that goes on below, and has the
// model count it as released.
func (s *run) body(d session.Direction) uint32 {
	m := &s.insp.dirs[d]
	most := min(len(s.ends[d].script)-m.pos, 20_000)
	if d == session.ToServer || most == 0 || s.rng.IntN(2) == 0 {
		return 0
	}
	n := 1 + s.rng.IntN(most)
	m.expected = append(m.expected, s.ends[d].script[m.pos:m.pos+n]...)
	m.pos += n
	m.unseen = int64(m.pos)
	return uint32(n)
}
