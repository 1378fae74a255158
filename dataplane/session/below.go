package session

import (
	"time"

	"wirepatch/dataplane/packet"
)

// Below is the sessions that the ports follow themselves while nothing in them
// needs the engine: handshakes, acknowledgements, ends, and messages that they
// can tell to be of no interest. From the first frame that they hand up on, a
// session is the engine's, until it gives the session back.
type Below interface {
	// Take makes a session the engine's, and tells what the ports know of it.
	// marked is false when they cannot remember that it is the engine's.
	Take(c Conn, vlan uint32) (r Resting, known, marked bool)
	// Give hands a session over. client is the port that the client is behind.
	Give(c Conn, vlan uint32, r Resting, client Side) bool
	// Forget tells that the engine no longer knows a session that it took.
	Forget(c Conn, vlan uint32, marked bool)
	// Sum is the ports' keyed sum of a message.
	Sum(b []byte) uint64
}

// Resting is what the ports know of a session. Numbers are sequence numbers.
type Resting struct {
	Followed    bool // and not only the handshake, which may not have ended
	Established bool // else only the client's SYN was seen
	Pending     bool // a request is not answered in full
	MidStream   bool // its beginning was not seen
	Half        [2]RestingHalf
	Request     []byte // the one that is not answered in full, if it was kept
}

// RestingHalf is one direction of a Resting.
type RestingHalf struct {
	First uint32 // the SYN's number
	Next  uint32 // where the next message begins
	Top   uint32 // behind the highest byte, or FIN, seen
	Acked uint32 // the receiver has acknowledged what is below
	// The last message begins at From; Sum is of its first Size bytes, and what
	// follows them up to Next passes unseen.
	From, Size uint32
	Sum        uint64
	Hello      packet.Handshake // the sender's
	Scale      uint8            // of the windows that the sender advertises
	Window     uint16
	Stamp      uint32 // the sender's latest timestamp
	Stamped    bool
	Fin        bool
}

// Rester is an Inspector that may be let go while a session rests.
type Rester interface {
	Inspector
	// Rests says that both directions are at the beginning of a message and that
	// a new Inspector would judge all that comes as this one.
	Rests() bool
	// Resume puts a new Inspector behind a request that is not answered in full,
	// and whose head, if known, was this: left bytes of the response's body are to
	// come, 0: all of the response.
	Resume(request []byte, left int64)
}

const (
	// restAfter is how long a session is silent before the ports are asked to
	// follow it.
	restAfter = int64(100 * time.Millisecond)
	// calm is how many segments of a busy session come up, without one of them
	// being changed, before the same.
	calm = 64
)

// takeOver asks the ports what they know of s, which is new to the engine. It
// says whether they have followed it.
func (e *Engine) takeOver(s *Session) bool {
	if e.cfg.Below == nil {
		return false
	}
	r, known, marked := e.cfg.Below.Take(s.conn, s.key.vlan)
	s.marked = marked
	if known {
		s.carryOn(&r)
	}
	return known && r.Followed
}

// carryOn goes on where the ports stopped.
func (s *Session) carryOn(r *Resting) {
	if !r.Established {
		s.synSeq, s.synHS, s.synSeen = r.Half[ToServer].First, r.Half[ToServer].Hello, true
		return
	}
	s.midStream = r.MidStream
	left := int64(0)
	for i := range s.half {
		left = s.half[i].resume(&r.Half[i], r.Pending && Direction(i) == ToClient)
	}
	for i := range s.half {
		h, back := &s.half[i], &s.half[1-i]
		h.edge = h.una + int64(back.window)<<back.scale
		h.reach = max(h.edge, h.sent)
	}
	s.inspector = s.svc.New(s.conn, false)
	if r.Pending {
		if in, ok := s.inspector.(Rester); ok {
			in.Resume(r.Request, left)
		}
	}
}

// resume fills in what the ports know of one direction. pending: it is that of
// the response, which is not complete. It returns how many bytes of the body
// the decoder is to see yet: the last one, as when it had let the others pass.
func (h *half) resume(r *RestingHalf, pending bool) (left int64) {
	h.start(r.First)
	h.heard = true
	h.hs, h.scale, h.window = r.Hello, r.Scale, r.Window
	at := func(seq uint32) int64 { return int64(seq-r.First) + 1<<32 } // room below for what went before
	h.isn = r.First
	h.next, h.top = at(r.Next), at(r.Next)-int64(int32(r.Next-r.Top))
	h.una = at(r.Next) - int64(int32(r.Next-r.Acked))
	if r.Fin {
		h.fin = h.next
		h.top = h.next
	}
	if pending && h.top < h.next {
		h.next--
		left = 1
	}
	h.rel, h.raw = h.next, h.next
	h.sent = max(h.top, h.una)
	if r.Fin {
		h.sent = h.next + 1
	}
	h.snd = h.next
	h.told = h.una
	h.stamped, h.stampIn = r.Stamped, r.Stamp
	h.sentStamp, h.stampOut = r.Stamped, r.Stamp
	if from := at(r.Next) - int64(r.Next-r.From); r.Size > 0 && h.una < from+int64(r.Size) {
		h.vouched = &vouched{from: from, to: from + int64(r.Size), sum: r.Sum}
	}
	return left
}

// mayRest says whether the ports can follow s by themselves from here on.
func (s *Session) mayRest() bool {
	if s.e.cfg.Below == nil || !s.marked || s.restless || s.edited || s.blind || s.closing {
		return false
	}
	if s.stage() != established { // a half-open one may be forged: it must not take a place in their table
		return false
	}
	if !s.half[0].rests() || !s.half[1].rests() {
		return false
	}
	in, ok := s.decoder().(Rester)
	return ok && in.Rests()
}

// rests says whether all that was sent was acknowledged, and nothing is kept.
func (h *half) rests() bool {
	return h.settled() && h.quiet() && h.edits.base == 0 && h.acked <= h.una && h.fin < 0 &&
		h.next == h.top && h.rel == h.next && h.una == h.next && h.sent == h.next && h.vouched == nil
}

// rest gives s to the ports. It says whether they took it; then the engine no
// longer knows it.
func (e *Engine) rest(s *Session) bool {
	r := Resting{Established: true, MidStream: s.midStream}
	for i := range s.half {
		h := &s.half[i]
		seq := h.seq(h.next)
		r.Half[i] = RestingHalf{First: h.isn, Next: seq, Top: seq, Acked: seq, From: seq, Hello: h.hs, Scale: h.scale,
			Window: h.window, Stamp: h.stampIn, Stamped: h.stamped}
	}
	if !e.cfg.Below.Give(s.conn, s.key.vlan, r, s.half[ToClient].to) {
		s.restless = true
		return false
	}
	s.marked = false
	e.stats.Given++
	e.drop(s)
	return true
}
