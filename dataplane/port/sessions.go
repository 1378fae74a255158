package port

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// Session is what the program has noted of a session that it follows itself
// (bpf/follow.h). Numbers are sequence numbers as the sender counts.
type Session struct {
	// Followed: the program has followed it.
	Followed bool
	// Established: both ends were heard. Otherwise only the client's SYN was
	// seen, and of Dir[0] the beginning is known.
	Established bool
	Pending     bool // a request is not answered in full
	MidStream   bool // its beginning was not seen
	// Edited: the engine has edited it. Then Delta and Edge count.
	Edited bool
	// Stale: frames have gone past while the engine was gone. Of what is known of
	// the session only Delta is true.
	Stale bool
	// Above: frames of it come up.
	Above bool
	// Lent: the program follows it at once, whatever was handed up before.
	Lent bool
	Dir  [2]Stream
	// Request is the one that is not answered in full, or that the program has
	// corrected and the server not acknowledged, if the program kept it
	// (Vetting.Keep).
	Request []byte
}

// Stream is one direction of a Session: to the server, to the client.
type Stream struct {
	First uint32 // the SYN's number
	Next  uint32 // where the next message begins
	Top   uint32 // behind the highest byte, or FIN, seen
	Acked uint32 // the receiver has acknowledged what is below
	// The last message begins at From; Sum (see Port.Sum) is of its first Size
	// bytes, and what follows them up to Next passes unseen. Size 0: none is noted.
	From, Size uint32
	Sum        uint64
	Stamp      uint32 // the sender's latest timestamp, if Stamped
	Window     uint16 // the sender's, as last advertised
	MSS        uint16 // the sender's; 0: not told
	Scale      uint8  // of Window
	// Edged: what is below Edge was the engine's to send. Until the receiver has
	// acknowledged it, no more of the stream goes on. Delta is what the receiver
	// counts more than the sender, behind it.
	Edged       bool
	Edge, Delta uint32
	// Cut is what the program took out of the last message itself, as an offset
	// in it and a length; 0: nothing. Delta is without it.
	Cut, CutLen uint32
	// What the sender's SYN offered.
	HasScale, SACK, Stamps, Stamped bool
	Fin                             bool
}

// Settled says that the receivers have all that the engine has sent.
func (s *Session) Settled() bool {
	return !s.Dir[0].lacking() && !s.Dir[1].lacking()
}

// OnItsOwn says that what the receivers lack, if anything, the program can make
// again itself of what their senders repeat.
func (s *Session) OnItsOwn() bool {
	for i := range s.Dir {
		if d := &s.Dir[i]; d.lacking() && d.CutLen == 0 {
			return false
		}
	}
	return true
}

// lacking says whether the receiver lacks something that was edited.
func (d *Stream) lacking() bool { return d.Edged && int32(d.Acked-d.Edge) < 0 }

// Options of a stream, and flags and states of a session, as in bpf/follow.h.
const (
	optScale         = 1
	optSACK          = 2
	optStamps        = 4
	optStamped       = 8
	sessionBelow     = 0
	sessionAbove     = 1
	sessionStale     = 2
	sessionMidStream = 1
	sessionReset     = 2
	sessionEdited    = 4
)

// Take makes a session the engine's: from now on all its frames come up, until
// Give or Forget. known: the program knew the session. marked: it now knows that
// the session is the engine's; false, when the table is full, obliges the caller
// to tell so (SetUnmarked) and to ask again at each frame.
func (p *Port) Take(f Flow) (s Session, known, marked bool, err error) {
	k := flowKey(f)
	var w wireSession
	err = p.objs.WpSessions.LookupWithFlags(&k, &w, ebpf.LookupLock)
	switch {
	case err == nil && w.State != sessionAbove:
		if err := p.seize(&k, &w); err != nil {
			return s, false, false, err
		}
		fallthrough
	case err == nil:
		if w.isMark() {
			return s, false, true, nil
		}
		s := sessionOf(&w)
		s.Request, err = p.kept(&k, &s)
		if !s.Edited { // what is noted of it is not to be taken once more
			err = errors.Join(err, p.put(&k, &wireSession{State: sessionAbove}))
		}
		return s, true, true, err
	case !errors.Is(err, ebpf.ErrKeyNotExist):
		return s, false, false, fmt.Errorf("look session up: %w", err)
	}
	s, known, err = p.takeOpening(&k)
	if err != nil {
		return s, false, false, err
	}
	mark := wireSession{State: sessionAbove}
	err = p.objs.WpSessions.Update(&k, &mark, ebpf.UpdateNoExist)
	if errors.Is(err, ebpf.ErrKeyExist) { // in this very moment it was established
		return p.Take(f)
	}
	return s, known, err == nil, nil
}

// isMark says whether w only says that the session is the engine's.
func (w *wireSession) isMark() bool { return w.Dir[0].Isn == 0 && w.Dir[1].Isn == 0 && w.Used == 0 }

// put replaces what the program knows of a session.
func (p *Port) put(k *wireFlowKey, w *wireSession) error {
	p.table.k, p.table.w = *k, *w
	if err := p.table.do(cmdUpdate, p.objs.WpSessions, ebpf.UpdateAny|ebpf.UpdateLock); err != nil {
		return fmt.Errorf("put session down: %w", err)
	}
	return nil
}

// Recall takes a session back that was lent: from now on all its frames come up.
// One that is stale stays so, for Take.
func (p *Port) Recall(f Flow) (Session, bool, error) {
	s, known, err := p.Look(f)
	if err != nil || !known || s.Stale {
		return s, known, err
	}
	k := p.table.k
	if !s.Above {
		if err := p.seize(&k, &p.table.w); err != nil || p.table.w.isMark() {
			return s, false, err
		}
		s = sessionOf(&p.table.w)
	}
	s.Request, err = p.kept(&k, &s)
	return s, true, err
}

// Look returns what the program knows of a session, and changes nothing.
func (p *Port) Look(f Flow) (s Session, known bool, err error) {
	p.table.k = flowKey(f)
	err = p.table.do(cmdLookup, p.objs.WpSessions, ebpf.MapUpdateFlags(ebpf.LookupLock))
	switch {
	case errors.Is(err, ebpf.ErrKeyNotExist):
		return s, false, nil
	case err != nil:
		return s, false, fmt.Errorf("look session up: %w", err)
	case p.table.w.isMark():
		return s, false, nil
	}
	return sessionOf(&p.table.w), true, nil
}

// seize has the program make the session ours, so that nothing is followed
// between the look and the change.
func (p *Port) seize(k *wireFlowKey, w *wireSession) error {
	in := make([]byte, 14, 64)
	in, err := appendKey(in, k)
	if err != nil {
		return err
	}
	found, err := p.objs.Take.Run(&ebpf.RunOptions{Data: in})
	if err != nil {
		return fmt.Errorf("take session: %w", err)
	}
	if found == 0 { // it has just ended
		*w = wireSession{State: sessionAbove}
		return nil
	}
	return p.objs.WpTaken.Lookup(uint32(0), w)
}

// takeOpening takes over what is known of a handshake under way.
func (p *Port) takeOpening(k *wireFlowKey) (s Session, known bool, err error) {
	var o wireOpening
	err = p.objs.WpOpenings.LookupAndDelete(k, &o)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("look handshake up: %w", err)
	}
	s.Established = o.End[1].Seen != 0
	scaled := o.End[0].Options&o.End[1].Options&optScale != 0
	for i := range s.Dir {
		e, d := &o.End[i], &s.Dir[i]
		d.First, d.Stamp, d.MSS, d.Window = e.Isn, e.Stamp, e.Mss, e.Window
		d.Next, d.Top, d.Acked = e.Isn+1, e.Isn+1, e.Isn+1
		d.options(e.Options)
		if d.Scale = e.Scale; s.Established {
			if !scaled {
				d.Scale = 0
			}
			d.Window >>= d.Scale
		}
	}
	return s, true, nil
}

func (d *Stream) options(o uint8) {
	d.HasScale, d.SACK, d.Stamps, d.Stamped = o&optScale != 0, o&optSACK != 0, o&optStamps != 0, o&optStamped != 0
}

func sessionOf(w *wireSession) Session {
	s := Session{Followed: true, Established: true, Pending: w.Pending != 0, MidStream: w.Flags&sessionMidStream != 0,
		Edited: w.Flags&sessionEdited != 0, Stale: w.State == sessionStale, Above: w.State == sessionAbove}
	for i := range s.Dir {
		v, d := &w.Dir[i], &s.Dir[i]
		*d = Stream{First: v.Isn, Next: v.Next, Top: v.Top, Acked: v.Una, From: v.From, Size: v.Size, Sum: v.Sum,
			Stamp: v.Stamp, Window: v.Window, MSS: v.Mss, Scale: v.Scale, Fin: v.Fin != 0,
			Edged: v.Edged != 0, Edge: v.Edge, Delta: v.Delta, Cut: uint32(v.Cut), CutLen: uint32(v.CutLen)}
		d.options(v.Options)
	}
	return s
}

// Give hands a session back to the program, which follows it once all that had
// been handed up before has been read, or at once. client is the port the client
// is behind.
func (p *Port) Give(f Flow, s Session, client Side) error {
	p.table.k = flowKey(f)
	w := &p.table.w
	*w = wireSession{State: sessionBelow, Port: uint8(client), Used: p.engine.now()}
	if !s.Lent {
		w.Mark = p.engine.handed()
	}
	switch {
	case s.Above:
		w.State = sessionAbove
	case s.Stale:
		w.State = sessionStale
	}
	if s.Edited {
		w.Flags |= sessionEdited
	}
	if s.Pending {
		w.Pending = 1
	}
	if s.MidStream {
		w.Flags |= sessionMidStream
	}
	for i := range s.Dir {
		d, v := &s.Dir[i], &w.Dir[i]
		v.Isn, v.Next, v.Top, v.Una, v.From, v.Size, v.Sum = d.First, d.Next, d.Top, d.Acked, d.From, d.Size, d.Sum
		v.Stamp, v.Window, v.Mss, v.Scale = d.Stamp, d.Window, d.MSS, d.Scale
		v.Options = flag(optScale, d.HasScale) | flag(optSACK, d.SACK) | flag(optStamps, d.Stamps) | flag(optStamped, d.Stamped)
		v.Fin = flag(1, d.Fin)
		v.Edged, v.Edge, v.Delta = flag(1, d.Edged), d.Edge, d.Delta
	}
	if err := p.table.do(cmdUpdate, p.objs.WpSessions, ebpf.UpdateExist|ebpf.UpdateLock); err != nil {
		return fmt.Errorf("give session back: %w", err)
	}
	return nil
}

func flag(bit uint8, on bool) uint8 {
	if on {
		return bit
	}
	return 0
}

// Forget removes what the program knows of a session.
func (p *Port) Forget(f Flow) error {
	k := flowKey(f)
	if err := p.objs.WpSessions.Delete(&k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget session: %w", err)
	}
	return nil
}
