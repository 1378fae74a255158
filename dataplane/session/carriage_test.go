package session

import (
	"testing"

	"wirepatch/dataplane/packet"
)

// oneSlot notes how a session stood when it got its slot.
type oneSlot struct {
	first, last *Carriage
	gone, freed bool
}

func (o *oneSlot) New(_ Conn, _ uint32, stands Carriage) Slot {
	o.first = &stands
	return o
}
func (o *oneSlot) Set(c Carriage)  { o.last = &c }
func (o *oneSlot) Mark(Mark)       {}
func (o *oneSlot) Stands() bool    { return !o.gone }
func (o *oneSlot) Lend(bool)       {}
func (o *oneSlot) Carried() uint64 { return 0 }
func (o *oneSlot) Free()           { o.freed = true }

// unseen lets a thousand bytes behind those that it was shown pass, or takes the
// first byte out.
type unseen struct{ edits bool }

func (u unseen) Inspect(_ Direction, data []byte, _ bool) Verdict {
	n := len(data)
	switch {
	case n == 0:
		return Verdict{}
	case u.edits:
		return Verdict{Release: int64(n), Edits: []Edit{{Start: 0, End: 1}}}
	}
	return Verdict{Release: int64(n) + 1000}
}

// TestSlotAtOnce: the engine may end right behind the call that gives a session
// its slot, which then must not say that a session without edits is to be reset,
// nor of one with edits that it may go on.
func TestSlotAtOnce(t *testing.T) {
	for _, edits := range []bool{false, true} {
		o := &oneSlot{}
		k := newTaken()
		k.known = false
		k.cfg.Slots, k.cfg.Limits.Carry = o, 100
		k.cfg.Services[0].New = func(Conn, bool) Inspector { return unseen{edits} }
		k.say(ToServer, 4999, 0, packet.SYN, "")
		k.say(ToClient, 6999, 5000, packet.SYN|packet.ACK, "")
		k.say(ToServer, 5000, 7000, packet.ACK, "")
		k.say(ToServer, 5000, 7000, packet.ACK, "begins")
		k.say(ToClient, 7000, 5006, packet.ACK, "")
		switch {
		case o.first == nil:
			t.Errorf("edits %t: the session has no slot", edits)
		case o.first.Settled == edits || o.first.Lanes[ToServer].Pass:
			t.Errorf("edits %t: the slot says at first %+v", edits, *o.first)
		case !edits && (o.last == nil || !o.last.Lanes[ToServer].Pass):
			t.Errorf("the slot does not say at last that bytes may pass")
		}
	}
}

// TestAlike: a session whose ends count alike has no edits for the engine that
// picks it up, so that it is never one that cannot go on without.
func TestAlike(t *testing.T) {
	for name, leave := range map[string]func(k *taken, o *oneSlot){
		"in a slot": func(k *taken, o *oneSlot) {
			k.known = false
			k.Adopt(Conn{icmpClient, icmpServer}, 0, o, [2]uint32{})
			if !o.freed {
				t.Error("the slot was kept")
			}
		},
		"with the ports": func(k *taken, _ *oneSlot) {
			k.r = Resting{Followed: true, Established: true, Edited: true, Stale: true}
		},
	} {
		o := &oneSlot{}
		k := newTaken()
		k.cfg.Slots = o
		leave(k, o)
		k.pickedUp(5000, 7000, 5000)
		expect(t, name, k.say(ToServer, 5000, 7000, push, "ask"), `to server seq 5000 ack 7000 flags 18 "ask"`)
		if o.first != nil {
			t.Errorf("%s: the session has a slot, which says %+v", name, *o.first)
		}
		k.say(ToClient, 7000, 5003, packet.ACK, "")
		k.Tick(k.now + 2*restAfter)
		if n := len(k.lent); n != 1 || k.lent[0].Edited || k.Stats().Open != 0 {
			t.Errorf("%s: lent as %+v, %d sessions open; want it given to the ports for good, without edits", name, k.lent, k.Stats().Open)
		}
	}
}

// pickedUp has both ends say where they stand, before and after old words can
// still be on their way. acked is what the server has of the client's.
func (k *taken) pickedUp(client, server, acked uint32) {
	for range 2 {
		k.say(ToServer, client, server, packet.ACK, "")
		k.say(ToClient, server, acked, packet.ACK, "")
		k.now += surelyNow
	}
}

// TestReplacedMeanwhile: another session has begun between the ends of one that
// was edited, while the ports passed frames without the engine. It has its own
// numbers.
func TestReplacedMeanwhile(t *testing.T) {
	for name, adopt := range map[string]func(k *taken, o *oneSlot){
		"an earlier engine's": func(k *taken, o *oneSlot) {
			k.Adopt(Conn{icmpClient, icmpServer}, 0, o, [2]uint32{100, 0})
			o.gone = true
		},
		"its own": func(k *taken, o *oneSlot) {
			k.Adopt(Conn{icmpClient, icmpServer}, 0, o, [2]uint32{100, 0})
			k.pickedUp(4000, 6000, 4100)
			o.gone = true
			if r := k.Bypassed(); r.Adopted != 0 || r.Kept != 0 || len(r.Lost) != 0 {
				t.Errorf("Bypassed() = %+v; want nothing of the session", r)
			}
		},
	} {
		o := &oneSlot{}
		k := newTaken()
		k.known = false
		k.cfg.Slots = o
		adopt(k, o)
		k.pickedUp(5000, 7000, 5000)
		expect(t, name, k.say(ToServer, 5000, 7000, packet.ACK, ""), `to server seq 5000 ack 7000 flags 10 ""`)
		if !o.freed {
			t.Errorf("%s: the slot was not given back", name)
		}
	}
}

// TestResetBeforePickUp: an end that is gone answers what it is asked with a reset.
// The other one counts differently, as an earlier engine has edited the session,
// and must be able to believe it.
func TestResetBeforePickUp(t *testing.T) {
	k := newTaken()
	k.known = false
	o := &oneSlot{}
	k.cfg.Slots = o
	k.Adopt(Conn{icmpClient, icmpServer}, 0, o, [2]uint32{100, ^uint32(29)})
	k.say(ToServer, 5000, 6970, packet.ACK, "")
	expect(t, "a reset", k.say(ToClient, 7000, 0, packet.RST, ""), `to client seq 6970 ack 0 flags 04 ""`)
	expect(t, "one that acknowledges", k.say(ToClient, 7000, 5100, packet.RST|packet.ACK, ""), `to client seq 6970 ack 5000 flags 14 ""`)
}
