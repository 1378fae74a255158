package session

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"wirepatch/dataplane/packet"
)

// Session is one TCP session of a protected service.
type Session struct {
	e    *Engine
	svc  *Service
	key  key
	conn Conn
	half [2]half // by Direction

	inspector   Inspector // nil: to be made, see decoder
	synSeq      uint32
	synHS       packet.Handshake
	synSeen     bool
	midStream   bool
	blind       bool // no longer inspected, by policy
	closing     bool // a verdict has ended it; see mayClose
	ended       bool // we have ended it; what still comes is answered by us
	cut         bool // the server has reset it, and its client has yet to get what came before; see severed
	gone        bool // reset by us
	resetSeen   bool // one end has sent a reset, and nothing since
	edited      bool
	noSlot      bool      // there was none to be had
	marked      bool      // the ports know that it is ours
	restless    bool      // they have not taken it back
	bereft      bool      // they have corrected what nobody knows any more
	lent        bool      // they follow it (lent.go)
	stirred     int       // segments since it was last lent
	vain        int       // how often it has come back without need
	lookAt      Instant   // when it is to be looked after
	lentAt      [2]uint32 // where the next messages began when it was lent
	lentPending bool      // a request awaited its response then
	place       Slot      // nil: the ports need not know of the session
	carriage    Carriage
	unsettled   uint64   // Engine.beats when carriage became so
	first       *first   // what a session that is picked up began with
	unheard     *unheard // nil: where its receivers stand is known
	carried     uint64   // packets, when last asked
	waited      int      // segments since the ports were asked to carry them
	deltas      [2]int64 // what an earlier engine has added to the streams

	crossed    *crossed // the SYN of a server that has sent one
	challenged bool     // the server has answered the client's SYN as one that has a session

	// For the engine's lists and timers.
	list            *list
	prev, following *Session
	used            Instant
	due             Instant
	slot            int
}

// newSession makes the session that f, from port from, belongs to.
func newSession(e *Engine, svc *Service, from Side, f *packet.Frame, toServer bool) *Session {
	s := &Session{e: e, svc: svc, key: keyOf(f), slot: -1}
	src := netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort)
	dst := netip.AddrPortFrom(netip.AddrFrom16(f.Dst).Unmap(), f.DstPort)
	client := from
	s.conn = Conn{src, dst}
	if !toServer {
		client = from ^ 1
		s.conn = Conn{dst, src}
	}
	s.half[ToServer] = half{dir: ToServer, to: client ^ 1, fin: -1, finOut: -1}
	s.half[ToClient] = half{dir: ToClient, to: client, fin: -1, finOut: -1}
	return s
}

// direction tells which way f goes, by its addresses.
func (s *Session) direction(f *packet.Frame) Direction {
	if f.SrcPort == s.conn.Client.Port() && f.Src == s.conn.Client.Addr().As16() {
		return ToServer
	}
	return ToClient
}

func (s *Session) memory() int {
	n := s.half[0].memory() + s.half[1].memory()
	if s.first != nil {
		n += len(s.first.f.Data)
	}
	return n
}

// stage is the list that s belongs in.
func (s *Session) stage() int {
	switch {
	case s.resetSeen || s.ended || s.half[0].finAcked() && s.half[1].finAcked():
		return closing
	case s.half[0].heard && s.half[1].heard:
		return established // both ends were heard, so neither address is forged
	}
	return embryonic
}

func (h *half) finAcked() bool { return h.fin >= 0 && h.una > h.edits.outFrom(h.fin) }

// handle does all that a segment of the session asks for.
//
//	segment            not begun        under way            ended by us
//	SYN                noted, passes    noted, passes        noted, passes
//	SYN+ACK            begins, passes   passes if the same   dropped; of either end, see crossed
//	RST                passes           translated; severed  dropped
//	acknowledgement    passes           translated           read
//	payload, FIN       picked up        inspected            acknowledged
//
// Picked up is told at pickUp, severed there.
func (s *Session) handle(from Side, v packet.VNet, f *packet.Frame) {
	d := s.direction(f)
	h, r := &s.half[d], &s.half[d.Other()]
	if from == h.to {
		return // an echo of the other side's frame
	}
	if f.Flags&packet.URG != 0 {
		s.clearUrgent(v, f)
	}
	switch {
	case f.Flags&packet.SYN != 0:
		s.handshake(h, r, v, f)
	case f.Flags&packet.RST != 0:
		s.reset(h, r, v, f)
	case s.ended:
		s.afterEnd(h, r, f)
	default:
		if s.unheard != nil && !s.late(h, f.Seq(), f.Ack(), f.Payload < f.End, f.Flags&packet.ACK != 0) {
			return
		}
		if !h.known || !r.known {
			if !s.pickUp(h, r, v, f) {
				return
			}
		}
		if s.bereft {
			h.learn(f)
			s.kill("the ports have corrected a request that was not kept")
			return
		}
		s.data(h, r, v, f, false)
		s.resume(h, r)
	}
}

// clearUrgent makes urgent data ordinary: whether a receiver takes the urgent
// byte out of the stream differs between systems, and so would what the
// decoder saw and what the server reads.
func (s *Session) clearUrgent(v packet.VNet, f *packet.Frame) {
	partial := v.Flags&packet.VNetNeedsCsum != 0
	word := [2]byte{f.Data[f.L4+12], f.Flags &^ packet.URG}
	f.Rewrite(12, word[:], partial)
	f.Rewrite(18, []byte{0, 0}, partial)
	f.Flags &^= packet.URG
}

// handshake follows SYN and SYN+ACK. Data in a SYN is cut off: its sender
// sends it again, and then it is inspected.
func (s *Session) handshake(h, r *half, v packet.VNet, f *packet.Frame) {
	if f.Payload < f.End {
		f = s.e.bare(f)
		v = packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}
	}
	if f.Flags&packet.ACK == 0 {
		if h.dir == ToServer {
			s.challenged = s.challenged && s.synSeen && f.Seq() == s.synSeq
			s.synSeq, s.synHS, s.synSeen = f.Seq(), packet.ParseHandshake(f.Options()), true
		} else {
			s.crossed = &crossed{f.Seq(), f.Window(), packet.ParseHandshake(f.Options())}
		}
		s.e.cfg.Output.Send(h.to, v, f.Data)
		return
	}
	same := h.known && r.known && f.Seq() == h.isn && f.Ack() == r.isn+1
	if same && s.ended {
		s.answerReset(h, r, f) // it has missed our reset
		return
	}
	if !same && h.dir == ToClient && !s.synSeen && !h.known && !r.known {
		s.e.cfg.Output.Send(h.to, v, f.Data) // its SYN went by before we came
		return
	}
	if !same {
		if !s.answersSYN(h.dir, f) {
			return // answers no SYN of this session
		}
		s.begin(h.dir, f)
	}
	h.learn(f)
	if !same {
		h.window = f.Window() >> h.scale // a SYN's window is not scaled, those of our own segments are
		h.edge, r.edge = 1, 1+int64(f.Window())
		if h.dir == ToServer {
			h.edge += int64(s.crossed.window)
		}
		h.reach, r.reach = h.edge, r.edge
	}
	s.e.cfg.Output.Send(h.to, v, f.Data)
}

// begin starts the session that the SYN+ACK f of direction d opens: a new one, if
// an older one had the same addresses and ports.
func (s *Session) begin(d Direction, f *packet.Frame) {
	c, v := &s.half[ToServer], &s.half[ToClient]
	*c = half{dir: ToServer, to: c.to, header: c.header[:0]}
	*v = half{dir: ToClient, to: v.to, header: v.header[:0]}
	c.hs, v.hs = s.synHS, packet.ParseHandshake(f.Options())
	c.start(s.synSeq)
	if d == ToClient {
		v.start(f.Seq())
	} else {
		v.hs = s.crossed.hs
		v.start(s.crossed.seq)
	}
	if c.hs.HasScale && v.hs.HasScale {
		c.scale, v.scale = c.hs.Scale, v.hs.Scale
	}
	if s.edited && s.marked {
		// What the ports know is of the older session: its deltas are not this one's.
		s.e.cfg.Below.Forget(s.conn, s.key.vlan, true)
		_, _, s.marked = s.e.cfg.Below.Take(s.conn, s.key.vlan)
	}
	s.blind, s.closing, s.ended, s.cut, s.gone, s.resetSeen, s.midStream, s.edited = false, false, false, false, false, false, false, false
	s.deltas, s.unheard = [2]int64{}, nil
	s.leave()
	s.inspector = nil
}

// start sets all offsets behind the SYN of number isn.
func (h *half) start(isn uint32) {
	h.known, h.isn = true, isn
	h.top, h.next, h.rel = 1, 1, 1
	h.snd, h.sent, h.una = 1, 1, 1
	h.fin, h.finOut = -1, -1
	h.cwnd = 10 * 1400
}

// reset passes an RST on. A receiver takes it only at the very byte it expects
// (RFC 9293, 3.10.7.4), so that is what it is translated to.
func (s *Session) reset(h, r *half, v packet.VNet, f *packet.Frame) {
	if s.ended {
		if h.dir == ToServer && !s.gone && h.offset(f.Seq()) == h.acked {
			s.forget() // who was to get the rest is gone
		}
		return
	}
	if !h.known {
		s.resetSeen = true
		s.shift(h.dir, v, f)
		s.e.cfg.Output.Send(h.to, v, f.Data)
		return
	}
	off := h.offset(f.Seq())
	if h.dir == ToClient && r.known && s.severed(off) {
		return
	}
	out := h.edits.outFrom(off)
	switch {
	case off >= h.rel && len(h.pend) > 0:
		out = h.sent + max(off-h.next, 0)
	case off <= h.top && out > h.sent:
		out = h.sent // what is decided and was not sent is lost with its sender
	case off < min(h.told, h.top) && out >= h.sent:
		out = h.sent - 1 // not the right one before a deletion, nor behind it
	}
	if out >= h.una && out <= max(h.sent, h.fast) {
		s.resetSeen = true
	}
	s.translate(h, r, v, f, out)
	s.e.cfg.Output.Send(h.to, v, f.Data)
	if h.una < out && (off == h.confirmed() || out == h.sent && h.promised()) {
		// The sender names the byte that the receiver waits for as far as it can
		// know: an insertion stands before it, or it has heard from us that its
		// bytes arrived.
		s.origin(h, r, h.una, nil, packet.RST, nil)
	}
}

// shift adds what an earlier engine has added to the streams of a session that is
// not picked up yet: an end that is gone does not speak otherwise any more.
func (s *Session) shift(d Direction, v packet.VNet, f *packet.Frame) {
	if s.deltas == [2]int64{} {
		return
	}
	partial := v.Flags&packet.VNetNeedsCsum != 0
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], f.Seq()+uint32(s.deltas[d]))
	f.Rewrite(4, b[:], partial)
	if f.Flags&packet.ACK != 0 {
		binary.BigEndian.PutUint32(b[:], f.Ack()-uint32(s.deltas[d.Other()]))
		f.Rewrite(8, b[:], partial)
	}
}

func (s *Session) event(kind EventKind, reason string) {
	s.e.cfg.Event(Event{Kind: kind, Service: s.svc.Name, Conn: s.conn, Reason: reason})
}

// exceed applies the service's policy to a session that met a limit. One that we
// have ended has nothing to pass: what its client is to get is kept, or given up.
func (s *Session) exceed(reason string) {
	if s.ended {
		if s.svc.Exceed == PolicyReset && !s.gone {
			s.giveUp()
			s.event(WasReset, reason)
		}
		return
	}
	if s.svc.Exceed == PolicyPass {
		s.pass(reason)
		return
	}
	s.kill(reason)
}

// recovered turns a decoder's panic into the policy's work.
func (s *Session) recovered(p any) { s.exceed(fmt.Sprintf("decoder failed: %v", p)) }
