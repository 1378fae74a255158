package sim

import (
	"testing"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// TestNagleWithOneSegment is a sender that may not go on before its only
// segment is acknowledged, whose message is held until it is whole (I6).
func TestNagleWithOneSegment(t *testing.T) {
	c := Config{Seed: 1, Choices: Choices{Hold: 20000}}
	for i := range c.Ends {
		c.Ends[i] = End{MSS: 536, Scale: -1, Buffer: 65535, Window0: 1, MaxWindow: 1, Nagle: true, KeepAlive: true, DelayACK: 40 * ms,
			Bytes: 30000, Writes: 40, Pause: ms, ISN: 1<<32 - 5000}
		c.In[i].Delay, c.Out[i].Delay = ms, ms
	}
	for seed := range uint64(50) {
		c.Seed = seed
		s := newRun(c, false)
		s.loop()
		s.verify()
		if s.failure != "" {
			t.Fatalf("seed %d: %s", seed, s.failure)
		}
	}
}

// TestFailedOnce runs seeds that showed a fault once.
func TestFailedOnce(t *testing.T) {
	for seed, fault := range map[uint64]string{
		30698:   "what was inserted behind the last byte, more than a window, made the next one look stray",
		7008020: "a SYN that was sent again and came late kept a session from being picked up",
		7020176: "a session picked up at what its sender had lost had that acknowledged",
		8020945: "a session that a verdict had closed was passed at the memory's limit, and its client's FIN never acknowledged",
		8023263: "what the ports had carried to the server before a verdict closed the session counted as a gap",
		8046781: "a reset never named the byte that the receiver waited for, where an insertion stood before it",
		8054425: "the model took bytes that waited for the engine for arrived, and replied in the middle of what passes unseen",
		8061086: "acknowledgements at an edit of which the receiver had a part lay before its window, and both ends answered for ever",
		909707:  "what the engine had inserted took the window that a response's head was sent for: the client got a part, and the ports had let the head on",
		911833:  "what was reset gave its slot up, and frames of it passed without the engine",
		915559:  "the model's ports followed a frame with a wrong checksum while the engine stood still",
		916862:  "keep-alive probes of an end whose last bytes were held were never answered",
		9013251: "two ends whose full windows were lost took acknowledgements at the window's edge for stray, and answered for ever",
	} {
		if failure, _ := Run(FromSeed(seed), false); failure != "" {
			t.Errorf("seed %d (%s): %s", seed, fault, failure)
		}
	}
}

// TestHandshakes opens sessions in the ways that TCP allows beside the usual one;
// each is inspected from its first byte.
func TestHandshakes(t *testing.T) {
	const syn, ack, synACK = packet.SYN, packet.ACK, packet.SYN | packet.ACK
	type step struct {
		from  session.Direction
		flags byte
	}
	const client, server = session.ToServer, session.ToClient
	for name, steps := range map[string][]step{
		"simultaneous, the client's first":       {{client, syn}, {server, syn}, {client, synACK}, {server, synACK}, {client, ack}},
		"simultaneous, the server's first":       {{server, syn}, {client, syn}, {server, synACK}, {client, synACK}, {client, ack}},
		"simultaneous, a SYN+ACK gets lost":      {{client, syn}, {server, syn}, {client, synACK}, {server, ack}, {client, ack}},
		"split":                                  {{client, syn}, {server, ack}, {server, syn}, {client, synACK}, {server, ack}},
		"split, without an acknowledgement":      {{client, syn}, {server, syn}, {client, synACK}, {server, ack}},
		"split, all of it sent again":            {{client, syn}, {server, syn}, {client, syn}, {server, syn}, {client, synACK}, {client, synACK}, {server, ack}},
		"the usual one, after a forged crossing": {{server, syn}, {client, syn}, {server, synACK}, {client, ack}},
	} {
		a := newAttack(t, len(name)%2 == 0)
		a.ends[0].addr.port++ // another session
		a.out = 0
		for i, st := range steps {
			s := &segment{seq: a.ends[st.from].isn, flags: st.flags, window: 65535, opts: stampOptions(10)}
			if st.flags&syn != 0 {
				s.opts = synOptions
			} else {
				s.seq++
			}
			if st.flags&ack != 0 {
				s.ack = a.ends[st.from.Other()].isn + 1
			}
			if st.from == client {
				a.client(s)
			} else {
				a.server(s)
			}
			if a.out != i+1 {
				t.Fatalf("%s: after step %d %d frames have passed; want each", name, i+1, a.out)
			}
		}
		a.data(0, "an EVIL line\n")
		if string(a.seen) != "an GOOD! line\n" || a.failure != "" {
			t.Errorf("%s: the server reads %q, %s; want %q", name, a.seen, a.failure, "an GOOD! line\n")
		}
		if st := a.engine.Stats(); st.PickedUp != 0 || st.Refused != 0 {
			t.Errorf("%s: Stats() = %+v; want no session picked up in its middle", name, st)
		}
	}
}
