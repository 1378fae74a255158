package session

import (
	"bytes"
	"encoding/binary"
	"time"

	"wirepatch/dataplane/packet"
)

// first is a segment that came before the engine knew how much of each stream
// its receiver has.
type first struct {
	f      packet.Frame
	v      packet.VNet
	dir    Direction
	began  Instant // when it came
	stands [2]stand
}

// stand is where the receiver of a stream stands.
type stand struct {
	known  bool
	ack    uint32
	heard  packet.Frame // the headers of the sender's latest segment: it is asked with the like
	tries  int          // how often it was asked for a segment's sake
	again  int          // and how often by the clock since
	at     Instant      // the latest
	marked uint32       // number of the byte that it is asked with
}

// maxFirst is how often a receiver is made to speak before its sender's bytes go
// on: perhaps it never answers. What comes closer than tryEvery behind a try has
// the same answer to wait for.
//
// What has gone past the engine may still be on its way to its receiver, and what
// that has said before it came may be on its way here: then it would be corrected
// when it is sent again, though the receiver has it. So a receiver is believed that
// names the byte which it was asked with (RFC 2883), as that came behind all that
// had gone past; one that does not name any, only surelyNow later, when nothing
// that it has said before can still be on its way.
const (
	maxFirst  = 4
	tryEvery  = 100 * Instant(time.Millisecond)
	surelyNow = 300 * Instant(time.Millisecond)
)

// pickUp begins a session in its middle: the engine was started, or the cable
// moved, after its handshake; or it stood still. What the two ends have in
// flight at this moment is taken as it is. Inspection begins where the receivers
// stand: bytes that they have already, sent again, must not be corrected now. So
//
//	not both heard yet       kept; the receivers are made to speak
//	both heard               begins, at what they acknowledged; then what was kept
//	its receiver is silent   begins at what was kept, see unheard
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
	at, back := f.Seq(), f.Ack()-uint32(s.deltas[r.dir])
	if w := s.first; w != nil {
		at = w.stands[h.dir].ack - uint32(s.deltas[h.dir])
		back = w.stands[r.dir].ack - uint32(s.deltas[r.dir])
	}
	h.start(at - 1)
	r.start(back - 1)
	h.shiftOutput(s.deltas[h.dir])
	r.shiftOutput(s.deltas[r.dir])
	// Scales are unknown; a window read too small only makes us send slower.
	return true
}

// await keeps the sender's first segment until both receivers were heard, and
// makes them speak. It says whether there is something to wait for; what else
// the two say meanwhile they will say again.
func (s *Session) await(h *half, v packet.VNet, f *packet.Frame) bool {
	w := s.first
	if w == nil {
		w = &first{dir: h.dir, began: s.e.now}
		s.first = w
	}
	w.hear(h.dir, f, s.e.now)
	if w.stands[0].known && w.stands[1].known {
		if w.dir == h.dir && f.Payload < f.End {
			w.f.Data = nil // it has come again
		}
		return false
	}
	s.ask(ToServer)
	s.ask(ToClient)
	if w.dir != h.dir || w.f.Data != nil && int32(f.Seq()-w.f.Seq()) > 0 && w.f.Payload < w.f.End {
		return true
	}
	if w.stands[h.dir].tries > maxFirst || len(f.Data) > s.e.cfg.Limits.Ahead {
		s.first = nil
		s.unheard = &unheard{h.dir, f.Seq()}
		return false
	}
	w.f, w.v = *f, v
	w.f.Data = bytes.Clone(f.Data)
	return true
}

// hear notes what f, a segment of direction d, says of where its sender stands as
// the receiver of the other one.
func (w *first) hear(d Direction, f *packet.Frame, now Instant) {
	w.stands[d].heard = *f
	w.stands[d].heard.Data = bytes.Clone(f.Data[:f.L4+bareTCP])
	p := &w.stands[d.Other()]
	sure := false
	if b := packet.SACKBlocks(f.Options()); p.tries > 0 && len(b) >= 8 {
		sure = be32(b) == p.marked && be32(b[4:]) == p.marked+1
	}
	if sure || now-w.began >= surelyNow {
		p.known, p.ack = true, f.Ack()
	}
}

// ask makes the receiver of d speak, unless it is known where it stands, or it
// was asked just now. It is not asked before its peer was heard, in whose name
// that is done.
func (s *Session) ask(d Direction) {
	p := &s.first.stands[d]
	if p.known || p.heard.Data == nil || p.tries > 0 && s.e.now-p.at < tryEvery {
		return
	}
	p.tries++
	p.again, p.at = 0, s.e.now
	if p.tries <= maxFirst {
		s.probe(d, p)
	}
}

// probe asks the receiver of d.
func (s *Session) probe(d Direction, p *stand) {
	v, probe := Probe(&p.heard)
	if p.tries == 1 {
		p.marked = p.heard.Seq() - far
	}
	binary.BigEndian.PutUint32(probe[p.heard.L4+4:], p.marked)
	// What it acknowledges the receiver has sent, by its own count.
	binary.BigEndian.PutUint32(probe[p.heard.L4+8:], p.heard.Ack()-uint32(s.deltas[d.Other()]))
	s.e.cfg.Output.Send(s.half[d].to, v, probe)
}

// lost is when it is to be asked by the clock, as the question or the answer may be
// lost, and the sender's own segments come ever more seldom; 0: never.
func (p *stand) lost() Instant {
	if p.known || p.tries == 0 || p.tries > maxFirst || p.again == maxFirst {
		return 0
	}
	return p.at + tryEvery<<p.again
}

// askAgain asks those whose time has come.
func (s *Session) askAgain() {
	for d := range s.first.stands {
		p := &s.first.stands[d]
		if at := p.lost(); at != 0 && at <= s.e.now {
			p.again++
			p.at = s.e.now
			s.probe(Direction(d), p)
		}
	}
}

// resume takes the segment that had to wait, now that the receivers were heard:
// the last one by a segment of h's sender.
func (s *Session) resume(h, r *half) {
	w := s.first
	s.first = nil
	if w == nil || s.ended || len(w.f.Data) == 0 {
		return
	}
	if w.dir == h.dir {
		h, r = r, h
	}
	s.data(r, h, w.v, &w.f, true)
}

// Probe makes the receiver of a segment speak, which may have nothing to say
// and would wait for ever: it answers a segment from far outside its window with
// an acknowledgement (RFC 9293, 3.10.7.4), wherever that window is.
func Probe(f *packet.Frame) (packet.VNet, []byte) {
	b := make([]byte, f.L4+bareTCP+1) // a byte: to a segment without Linux answers only twice a second
	copy(b, f.Data[:f.L4])
	tcp := b[f.L4:]
	copy(tcp[:12], f.Data[f.L4:])
	binary.BigEndian.PutUint32(tcp[4:], f.Seq()-far)
	tcp[12], tcp[13] = bareTCP/4<<4, packet.ACK
	out := packet.Frame{Data: b, V6: f.V6, L3: f.L3, L4: f.L4, Payload: f.L4 + bareTCP, End: len(b),
		Src: f.Src, Dst: f.Dst, SrcPort: f.SrcPort, DstPort: f.DstPort, Flags: packet.ACK}
	out.PutIPLength()
	out.PutPartialChecksum()
	return packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}, b
}

const (
	bareTCP = 20      // length of a TCP header without options
	far     = 1 << 30 // outside any window
)
