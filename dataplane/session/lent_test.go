package session

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"wirepatch/dataplane/packet"
)

// shouting makes every x to the server an XXX, and takes every - out.
type shouting struct{ openInspector }

func (s shouting) Inspect(dir Direction, data []byte, _ bool) Verdict {
	v := Verdict{Release: int64(len(data))}
	for i, c := range data {
		switch {
		case dir == ToClient:
		case c == 'x':
			v.Edits = append(v.Edits, Edit{Start: i, End: i + 1, With: []byte("XXX")})
		case c == '-':
			v.Edits = append(v.Edits, Edit{Start: i, End: i + 1})
		}
	}
	return v
}

// newShouting is a session that the ports have followed and in which all is
// acknowledged.
func newShouting() *taken {
	k := newTaken()
	k.r.Pending = false
	k.r.Half[ToServer].Acked = 5100
	k.cfg.Services[0].New = func(Conn, bool) Inspector { return shouting{openInspector{&k.resumed}} }
	return k
}

const push = packet.ACK | packet.PSH

// wantLent checks what the ports were told last of a direction.
func (k *taken) wantLent(t *testing.T, dir Direction, next, acked, delta uint32) {
	t.Helper()
	if len(k.lent) == 0 {
		t.Fatal("the session was not lent")
	}
	h := k.lent[len(k.lent)-1].Half[dir]
	if h.Next != next || h.Top != next || h.Edge != next || !h.Edged || h.Acked != acked || h.Delta != delta {
		t.Errorf("%v as lent = %+v; want it to stand at %d, %d acknowledged, delta %d", dir, h, next, acked, int32(delta))
	}
}

// TestLent: a session is lent as soon as its bytes are sent, comes back as it
// stands with the next frame, and is forgotten once the receivers have all.
func TestLent(t *testing.T) {
	k := newShouting()
	expect(t, "a message", k.say(ToServer, 5100, 7000, push, "a-b-x"), `to server seq 5100 ack 7000 flags 18 "abXXX"`)
	k.wantLent(t, ToServer, 5105, 5100, 0)
	k.Tick(k.now + restAfter + 1)
	if k.Stats().Open != 1 {
		t.Fatal("a session was forgotten whose bytes are not acknowledged")
	}
	// Below, the server answers ten bytes, which the client acknowledges.
	k.r.Half[ToServer].Acked = 5105
	k.r.Half[ToClient].Next, k.r.Half[ToClient].Top, k.r.Half[ToClient].Acked = 7010, 7010, 7010
	expect(t, "the next message", k.say(ToServer, 5105, 7010, push, "-c"), `to server seq 5105 ack 7010 flags 18 "c"`)
	k.wantLent(t, ToServer, 5107, 5106, ^uint32(0)) // what was taken out counts as received
	k.r.Half[ToServer].Acked = 5107
	k.Tick(k.now + 2*restAfter + 1)
	if st := k.Stats(); st.Open != 0 || st.Given != 1 || st.Held != 0 {
		t.Fatalf("once all is acknowledged: %+v; want no session, one given", st)
	}
	expect(t, "a message of the session that was forgotten", k.say(ToServer, 5107, 7010, push, "-d"), `to server seq 5106 ack 7010 flags 18 "d"`)
	expect(t, "its acknowledgement", k.say(ToClient, 7010, 5107, packet.ACK, ""), `to client seq 7010 ack 5109 flags 10 ""`)
}

// TestLentRetransmission: what was edited is answered from what was sent,
// whatever its sender sends again.
func TestLentRetransmission(t *testing.T) {
	k := newShouting()
	k.say(ToServer, 5100, 7000, push, "a-bx")
	expect(t, "the message again", k.say(ToServer, 5100, 7000, push, "a-bx"), `to server seq 5100 ack 7000 flags 18 "abXXX"`)
	expect(t, "another one in its place", k.say(ToServer, 5100, 7000, push, "evil"), `to server seq 5100 ack 7000 flags 18 "abXXX"`)
	k.out = nil
	k.Tick(k.now + firstRTO + 1)
	expect(t, "nobody acknowledges what was inserted", k.sent(), `to server seq 5100 ack 7000 flags 18 "abXXX"`)
	k.r.Half[ToServer].Acked = 5104
	expect(t, "the message again, when the server has it", k.say(ToServer, 5100, 7000, push, "a-bx"), `to server seq 5101 ack 7000 flags 10 ""`)
	k.out = nil
	k.Tick(k.now + 10*firstRTO)
	if len(k.out) > 0 {
		t.Errorf("sent %v once the server had it all", k.sent())
	}
}

// steps notes in what order a session is lent.
type steps struct {
	*ledger
	*oneSlot
	log []string
}

func (s *steps) New(Conn, uint32, Carriage) Slot    { return s }
func (s *steps) Lend(on bool)                       { s.log = append(s.log, fmt.Sprintf("slot %t", on)) }
func (s *steps) Forget(c Conn, vlan uint32, m bool) { s.ledger.Forget(c, vlan, m) }

// lending is the ledger beside the slot, whose Lend is another one.
type lending struct{ *steps }

func (l lending) Lend(c Conn, vlan uint32, r Resting, client Side) bool {
	l.log = append(l.log, fmt.Sprintf("above %t", r.Above))
	return l.ledger.Lend(c, vlan, r, client)
}

// TestLentInOrder: the engine may end between any two steps. What the ports know of
// an edited session counts once it is complete, and changes only when it counts.
func TestLentInOrder(t *testing.T) {
	k := newShouting()
	s := &steps{ledger: k.ledger, oneSlot: &oneSlot{}}
	k.cfg.Below, k.cfg.Slots = lending{s}, s
	k.say(ToServer, 5100, 7000, push, "a-b")
	if want := []string{"above true", "slot true", "above false"}; !slices.Equal(s.log, want) {
		t.Errorf("lent in the steps %q; want %q", s.log, want)
	}
}

// TestLentVainly: a session all of whose frames come up is lent no more for a
// while.
func TestLentVainly(t *testing.T) {
	k := newShouting()
	seq := uint32(5100)
	for range 3 * vainly {
		k.say(ToServer, seq, 7000, push, "ab")
		seq += 2
		k.r.Half[ToServer].Acked = seq
	}
	if n := len(k.lent); n > vainly+1 {
		t.Errorf("lent %d times in vain; want at most %d", n, vainly+1)
	}
}

// TestLentGone: a session that has ended below, and another one that has begun
// between the same ends, are not what the engine had.
func TestLentGone(t *testing.T) {
	k := newShouting()
	k.say(ToServer, 5100, 7000, push, "a-b")
	k.known = false
	k.Tick(k.now + restAfter + 1)
	if st := k.Stats(); st.Open != 0 || st.Given != 1 {
		t.Errorf("after the end below: %+v; want no session, one given", st)
	}
	k = newShouting()
	k.say(ToServer, 5100, 7000, push, "a-b")
	k.r = Resting{Followed: true, Established: true}
	k.r.Half[ToServer] = RestingHalf{First: 99, Next: 100, Top: 100, Acked: 100, Window: 1000}
	k.r.Half[ToClient] = RestingHalf{First: 199, Next: 200, Top: 200, Acked: 200, Window: 1000}
	expect(t, "a message of the other session", k.say(ToServer, 100, 200, push, "c-"), `to server seq 100 ack 200 flags 18 "c"`)
}

// TestLentDuringAStop: what the ports know decides what becomes of a session
// that was lent while the engine stood still.
func TestLentDuringAStop(t *testing.T) {
	k := newShouting()
	k.say(ToServer, 5100, 7000, push, "a-b")
	if r := k.Bypassed(); r.Kept != 1 || r.Adopted != 0 || len(r.Lost) != 0 || k.Stats().Open != 1 {
		t.Errorf("not acknowledged, as it was: %+v; want it kept", r)
	}
	k.r.Half[ToServer].Acked = 5103
	k.r.Stale = true
	if r := k.Bypassed(); r.Kept != 0 || k.Stats().Open != 0 {
		t.Errorf("frames went past it: %+v; want it left to the ports", r)
	}
	k.say(ToClient, 7040, 5150, packet.ACK, "") // 49 bytes went past
	k.say(ToServer, 5151, 7040, packet.ACK, "", named(7040)...)
	k.say(ToClient, 7040, 5150, packet.ACK, "", named(5151)...)
	expect(t, "a message behind what went past", k.say(ToServer, 5151, 7040, push, "-e"), `to server seq 5150 ack 7040 flags 18 "e"`)
}

// TestLentMemory: an edited session that is done with leaves nothing.
func TestLentMemory(t *testing.T) {
	k := newShouting()
	k.say(ToServer, 5100, 7000, push, fmt.Sprint("-", string(bytes.Repeat([]byte("y"), 1000))))
	if k.Stats().Held != 1000 {
		t.Errorf("%d bytes held; want 1000", k.Stats().Held)
	}
	k.r.Half[ToServer].Acked = k.r.Half[ToServer].Next
	k.Tick(k.now + restAfter + 1)
	if st := k.Stats(); st.Held != 0 || st.Open != 0 || len(k.sessions) != 0 || len(k.timers.h) != 0 {
		t.Errorf("once acknowledged: %+v, %d timers; want nothing", st, len(k.timers.h))
	}
}
