package session

import (
	"bytes"
	"encoding/binary"
	"time"

	"wirepatch/dataplane/packet"
)

// first is a segment that came before the engine knew how much of its sender's
// stream the receiver has.
type first struct {
	f     packet.Frame
	v     packet.VNet
	dir   Direction
	tries int
	at    Instant // of the latest
}

// maxFirst is how often a receiver is made to speak before its sender's bytes go
// on: perhaps it never answers. What comes closer than tryEvery behind a try has
// the same answer to wait for.
const (
	maxFirst = 4
	tryEvery = 100 * Instant(time.Millisecond)
)

// pickUp begins a session in its middle: the engine was started, or the cable
// moved, after its handshake; or it stood still. What the two ends have in
// flight at this moment is taken as it is. Inspection begins where the receiver
// stands: bytes that it has already, sent again, must not be corrected now. So
//
//	receiver not heard yet    kept; the receiver is made to speak
//	receiver heard            begins, at what it acknowledged; then what was kept
//	receiver silent           begins at what was kept, see unheard
//
// It says whether f may go on.
func (s *Session) pickUp(h, r *half, v packet.VNet, f *packet.Frame) bool {
	if s.synSeen {
		// The SYN was not answered yet, so this belongs to an older session
		// that the server may still know. It does when it answers without a SYN:
		// then the SYN was an old one, or a forged one.
		bare := f.Payload == f.End && f.Flags&packet.FIN == 0
		s.challenged = s.challenged || bare && h.dir == ToClient
		if !s.challenged || bare && s.first == nil {
			if f.Payload == f.End {
				s.e.cfg.Output.Send(h.to, v, f.Data)
			}
			return false
		}
	}
	if f.Flags&packet.ACK == 0 || s.await(h, v, f) {
		return false
	}
	s.midStream = true
	s.e.stats.PickedUp++
	s.inspector = nil
	at := f.Seq()
	if s.first != nil && s.first.dir != h.dir {
		at = s.first.f.Ack() - uint32(s.deltas[h.dir])
	}
	h.start(at - 1)
	r.start(f.Ack() - uint32(s.deltas[r.dir]) - 1)
	h.shiftOutput(s.deltas[h.dir])
	r.shiftOutput(s.deltas[r.dir])
	// Scales are unknown; a window read too small only makes us send slower.
	return true
}

// await keeps the sender's first segment until its receiver was heard, and
// makes that speak. It says whether there is something to wait for; what else
// the sender says meanwhile it will say again.
func (s *Session) await(h *half, v packet.VNet, f *packet.Frame) bool {
	w := s.first
	switch {
	case w == nil:
		w = &first{dir: h.dir}
		s.first = w
	case w.dir != h.dir:
		return false
	case int32(f.Seq()-w.f.Seq()) > 0 && w.f.Payload < w.f.End:
		return true
	}
	soon := w.tries > 0 && s.e.now-w.at < tryEvery
	if !soon {
		w.tries++
		w.at = s.e.now
	}
	if w.tries > maxFirst || len(f.Data) > s.e.cfg.Limits.Ahead {
		s.first = nil
		s.unheard = &unheard{h.dir, f.Seq()}
		return false
	}
	w.f, w.v = *f, v
	w.f.Data = bytes.Clone(f.Data)
	if soon {
		return true
	}
	v, probe := Probe(f)
	// What it acknowledges the receiver has sent, by its own count.
	binary.BigEndian.PutUint32(probe[f.L4+8:], f.Ack()-uint32(s.deltas[h.dir.Other()]))
	s.e.cfg.Output.Send(h.to, v, probe)
	return true
}

// resume takes the segment that had to wait, now that its receiver, whose
// segments are h's, was heard.
func (s *Session) resume(h, r *half) {
	w := s.first
	s.first = nil
	if w != nil && w.dir == r.dir && !s.ended {
		s.data(r, h, w.v, &w.f)
	}
}

// Probe makes the receiver of a segment speak, which may have nothing to say
// and would wait for ever: it answers a segment from far outside its window with
// an acknowledgement (RFC 9293, 3.10.7.4), wherever that window is.
func Probe(f *packet.Frame) (packet.VNet, []byte) {
	b := make([]byte, f.L4+bareTCP+1) // a byte: to a segment without Linux answers only twice a second
	copy(b, f.Data[:f.L4])
	tcp := b[f.L4:]
	copy(tcp[:12], f.Data[f.L4:])
	binary.BigEndian.PutUint32(tcp[4:], f.Seq()-1<<30)
	tcp[12], tcp[13] = bareTCP/4<<4, packet.ACK
	out := packet.Frame{Data: b, V6: f.V6, L3: f.L3, L4: f.L4, Payload: f.L4 + bareTCP, End: len(b),
		Src: f.Src, Dst: f.Dst, SrcPort: f.SrcPort, DstPort: f.DstPort, Flags: packet.ACK}
	out.PutIPLength()
	out.PutPartialChecksum()
	return packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}, b
}

const bareTCP = 20 // length of a TCP header without options
