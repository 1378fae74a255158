package session

import (
	"time"

	"wirepatch/dataplane/packet"
)

// Below is the sessions that the ports follow themselves while nothing in them
// needs the engine: handshakes, acknowledgements, ends, and messages that they
// can tell to be of no interest. From a frame that they hand up on, a session is
// the engine's, until it lends or gives the session to them again.
//
//	taken   the engine's own
//	lent    the ports follow it; the engine still has what it may have to send
//	        again, and takes the session back with the next frame that comes up
//	given   the ports follow it, and the engine knows nothing of it
//
// The ports keep a session's books in its senders' numbers. In one that was
// edited they translate what goes on: all edits lie before the edge of their
// stream, so one delta serves behind it.
type Below interface {
	// Take makes a session the engine's, and tells what the ports know of it.
	// marked is false when they cannot remember that it is the engine's.
	Take(c Conn, vlan uint32) (r Resting, known, marked bool)
	// Lend hands a session over. client is the port that the client is behind. One
	// that is above stays the engine's: only what is known of it is put down.
	Lend(c Conn, vlan uint32, r Resting, client Side) bool
	// Recall takes a session back that was lent: its frames come up. known is
	// false when it has ended meanwhile. A stale one it leaves to Take.
	Recall(c Conn, vlan uint32) (r Resting, known bool)
	// Look tells how a session stands that was lent or given.
	Look(c Conn, vlan uint32) (r Resting, known bool)
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
	Edited      bool
	Stale       bool // frames went past while the engine was gone: only the deltas are true
	Above       bool // its frames come up
	Half        [2]RestingHalf
	// Request is the one that is not answered in full, if it was kept; or the one
	// that the ports have corrected, if the server has not acknowledged it.
	Request []byte
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
	// Edged: what is below Edge was the engine's to send. Behind it the receiver
	// counts Delta more than the sender.
	Edged       bool
	Edge, Delta uint32
	// Cut is what the ports took out of the last message themselves: where in it,
	// and how much; 0: nothing. Delta is without it.
	Cut, CutLen uint32
	Hello       packet.Handshake // the sender's
	Scale       uint8            // of the windows that the sender advertises
	Window      uint16
	Stamp       uint32 // the sender's latest timestamp
	Stamped     bool
	Fin         bool
}

// frozen says whether the receiver lacks something that was edited.
func (r *RestingHalf) frozen() bool { return r.Edged && int32(r.Acked-r.Edge) < 0 }

// needsUs says whether it is something that only the engine can send.
func (r *RestingHalf) needsUs() bool { return r.frozen() && r.CutLen == 0 }

func (r *Resting) needsUs() bool { return r.Half[0].needsUs() || r.Half[1].needsUs() }

// Rester is an Inspector that others may stand in for while a session is lent
// or given.
type Rester interface {
	Inspector
	// Stands says that both directions are at the beginning of a message and that
	// a new Inspector would judge all that comes as this one. pending: but that
	// one request awaits its response.
	Stands() (pending, ok bool)
	// Answered tells that the response to it has passed unseen.
	Answered()
	// Resume puts the Inspector behind a request that is not answered in full and
	// has passed unseen, and whose head, if known, was this: left bytes of the
	// response's body are to come, 0: all of the response.
	Resume(request []byte, left int64)
}

const (
	// restAfter is how long a session is silent before the engine gives it up.
	restAfter = int64(100 * time.Millisecond)
	// vainly is how often in a row a session may come back before the ports have
	// carried anything of it that the engine would have. Then it is lent only
	// after restAfter, or when calm segments have come up.
	vainly = 4
	calm   = 64
)

// takeOver asks the ports what they know of s, which is new to the engine. It
// says whether they have followed it.
func (e *Engine) takeOver(s *Session) bool {
	if e.cfg.Below == nil {
		return false
	}
	r, known, marked := e.cfg.Below.Take(s.conn, s.key.vlan)
	s.marked = marked
	switch {
	case known && r.Stale:
		s.succeed([2]int64{r.Half[0].delta(), r.Half[1].delta()})
	case known:
		s.carryOn(&r)
	}
	return known && r.Followed
}

// succeed notes what was added to the streams of a session that is to be picked
// up. It needs a slot before that: what the ports knew of it is no longer true. One
// whose ends count alike is a session without edits from here on.
func (s *Session) succeed(deltas [2]int64) {
	if deltas == [2]int64{} && s.place == nil {
		return
	}
	s.deltas, s.edited = deltas, true
	c := s.bequeathed() // what an earlier engine let pass, this one knows nothing of
	switch {
	case s.place != nil:
		s.place.Set(c)
	case s.e.cfg.Slots != nil:
		s.place = s.e.slot(s, c)
	}
}

// putBack keeps what succeed has noted when a session is forgotten before it
// could be picked up. It says whether there was such.
func (s *Session) putBack() bool {
	if s.deltas == [2]int64{} || s.half[ToServer].known {
		return false
	}
	a, b := uint32(s.deltas[0]), uint32(s.deltas[1])
	if s.place != nil {
		s.e.Adopt(s.conn, s.key.vlan, s.place, [2]uint32{a, b})
		s.place = nil
		return false
	}
	if !s.marked {
		return false
	}
	r := Resting{Followed: true, Established: true, Edited: true, Stale: true}
	r.Half[0].Delta, r.Half[1].Delta = a, b
	return s.e.cfg.Below.Lend(s.conn, s.key.vlan, r, s.half[ToClient].to)
}

func (r *RestingHalf) delta() int64 { return int64(int32(r.Delta)) }

// Struck tells of a request that the ports have corrected themselves. first: it
// is the session's first correction.
func (e *Engine) Struck(c Conn, first bool, ev Evidence) {
	name := ""
	if svc := e.match(TCP, c.Server.Addr().As16(), c.Server.Port()); svc != nil {
		name = svc.Name
	}
	if first {
		e.stats.Edited++
	}
	e.cfg.Event(Event{Kind: Corrected, Service: name, Conn: c, Evidence: ev})
}

// carryOn goes on where the ports stopped.
func (s *Session) carryOn(r *Resting) {
	if !r.Established {
		s.synSeq, s.synHS, s.synSeen = r.Half[ToServer].First, r.Half[ToServer].Hello, true
		return
	}
	s.midStream, s.edited = r.MidStream, r.Edited
	left := s.renew(r)
	s.e.memory += s.memory()
	s.inspector = s.svc.New(s.conn, false)
	if in, ok := s.inspector.(Rester); ok && r.Pending {
		in.Resume(r.Request, left)
	}
}

// renew goes on with what the ports know of both directions, but for one whose
// receiver lacks what the engine has sent: nothing can have passed there. It
// returns how much of a response's body the decoder is to see yet.
func (s *Session) renew(r *Resting) (left int64) {
	if s.bereft = !r.whole(); s.bereft {
		r.Half[ToServer].CutLen = 0
	}
	for i := range s.half {
		h, w := &s.half[i], &r.Half[i]
		if s.lent && w.needsUs() {
			h.window = w.Window
			h.stamped, h.stampIn = w.Stamped, w.Stamp
			continue
		}
		left = h.resume(w, r.Pending && Direction(i) == ToClient, r.Request)
	}
	for i := range s.half {
		if s.lent && r.Half[i].needsUs() {
			continue
		}
		h, back := &s.half[i], &s.half[1-i]
		h.edge = h.una + int64(back.window)<<back.scale
		h.reach = max(h.edge, h.sent)
	}
	return left
}

// adoptCut makes a correction of the ports, which the receiver has not
// acknowledged, one of the engine's: of the request that begins at from.
func (h *half) adoptCut(r *RestingHalf, from int64, request []byte) {
	h.shiftOutput(r.delta() + int64(r.CutLen))
	in, end := from+int64(r.Cut), from+int64(r.Cut+r.CutLen)
	h.store.append(h.edits.outFrom(from), request[:r.Cut])
	out := h.edits.outFrom(in)
	h.edits.add(edit{in, end, out, out})
	h.store.append(out, request[r.Cut+r.CutLen:])
	h.snd = h.edits.outTo(h.next)
	h.sent, h.raw = h.snd, h.edits.outFrom(from) // all of it is stored
}

// whole says whether the request is there that the ports have corrected, if they
// have and it may be needed.
func (r *Resting) whole() bool {
	h := &r.Half[ToServer]
	return h.CutLen == 0 || !h.frozen() || len(r.Request) == int(h.Size) && h.Cut+h.CutLen <= h.Size
}

// resume fills in what the ports know of one direction. pending: it is that of
// the response, which is not complete. It returns how many bytes of the body
// the decoder is to see yet: the last one, as when it had let the others pass.
func (h *half) resume(r *RestingHalf, pending bool, request []byte) (left int64) {
	*h = half{dir: h.dir, to: h.to, header: h.header, l3: h.l3, v6: h.v6, ports: h.ports, narrow: h.narrow, path: h.path,
		pend: h.pend[:0], queue: h.queue[:0], ahead: h.ahead[:0], store: h.store.emptied(), edits: editMap{list: h.edits.list[:0]}}
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
	from := at(r.Next) - int64(r.Next-r.From)
	if r.CutLen > 0 && r.frozen() {
		h.adoptCut(r, from, request)
		return left
	}
	if r.Size > 0 && h.una < from+int64(r.Size) {
		h.vouched = &vouched{from: from, to: from + int64(r.Size), sum: r.Sum}
	}
	h.shiftOutput(r.delta())
	return left
}
