package sim

import (
	"encoding/binary"
	"testing"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// TestFlood sends more forged SYNs than the engine keeps half-open sessions, each
// answered by the server. What is half open gives way, no session does.
func TestFlood(t *testing.T) {
	a := newAttack(t, false)
	a.data(0, "an EVIL")
	other := a.ends[0].addr
	for i := range session.DefaultLimits.Embryonic + 10_000 {
		a.ends[0].addr.ip = binary.BigEndian.AppendUint32(nil, 0xc6120000+uint32(i))
		a.client(&segment{seq: a.ends[0].isn, flags: packet.SYN, window: 65535, opts: synOptions, body: []byte("x")})
		a.server(&segment{seq: a.ends[1].isn, ack: a.ends[0].isn + 1, flags: packet.SYN | packet.ACK, window: 65535, opts: synOptions})
		a.now -= 2*ms - 2000 // all of it within a moment
	}
	if got := a.engine.Stats().Open; got > uint64(session.DefaultLimits.Embryonic)+1 {
		t.Errorf("%d sessions are open; want %d half-open ones at most, and one", got, session.DefaultLimits.Embryonic)
	}
	a.ends[0].addr = other
	a.data(7, " line\n")
	if string(a.seen) != "an GOOD! line\n" || a.failure != "" {
		t.Errorf("the server reads %q, %s; want %q", a.seen, a.failure, "an GOOD! line\n")
	}
}
