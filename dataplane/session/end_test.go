package session

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/packet"
)

// untilEnd holds what the server says until nothing follows, and corrects it then.
type untilEnd struct{ last Verdict }

func (u untilEnd) Inspect(dir Direction, data []byte, eof bool) Verdict {
	if dir == ToServer {
		return Verdict{Release: int64(len(data))}
	}
	if !eof {
		return Verdict{}
	}
	v := u.last
	v.Release += int64(len(data))
	if i := bytes.Index(data, []byte("bad")); i >= 0 {
		v.Edit(i, i+3, []byte("harmless"))
	}
	return v
}

// pass lets time pass and returns what was sent then.
func (k *taken) pass(d Instant) []string {
	k.out, k.now = nil, k.now+d+1
	k.Tick(k.now)
	return k.sent()
}

// TestServerResets: a client that waits for what is held when the server resets the
// session gets that, corrected, and then the reset, as it would have without us.
func TestServerResets(t *testing.T) {
	const (
		ack, push, rst = packet.ACK, packet.ACK | packet.PSH, packet.RST | packet.ACK
		synack         = packet.SYN | packet.ACK
		held           = `to client seq 7001 ack 5004 flags 18 "an answer"`
	)
	long := strings.Repeat("0123456789", 2000)
	type step struct {
		dir      Direction
		seq, ack uint32
		flags    byte
		payload  string
		want     []string
		wait     Instant // instead of a segment
	}
	part := func(from, to int) string {
		return fmt.Sprintf("to client seq %d ack 5004 flags 18 %q", 7001+from, long[from:to])
	}
	for name, tt := range map[string]struct {
		answer string
		late   bool // the engine has acknowledged the answer before the reset
		last   Verdict
		steps  []step
	}{
		"a reset behind what is held": {"an answer", false, Verdict{}, []step{
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
			{ToServer, 5004, 7005, ack, "", nil, 0},
			{ToServer, 5004, 7010, ack, "", []string{`to client seq 7010 ack 5004 flags 14 ""`}, 0},
			{ToServer, 5004, 7010, push, "more", []string{`to client seq 7010 ack 5004 flags 04 ""`}, 0},
			{ToClient, 7010, 5004, push, "more", []string{`to server seq 5004 ack 7010 flags 04 ""`}, 0},
		}},
		"corrected": {"a bad one", false, Verdict{}, []step{
			{ToClient, 7010, 5004, rst, "", []string{`to client seq 7001 ack 5004 flags 18 "a harmless one"`}, 0},
			{ToServer, 5004, 7015, ack, "", []string{`to client seq 7015 ack 5004 flags 14 ""`}, 0},
		}},
		"where the server thinks the client is": {"an answer", false, Verdict{}, []step{
			{ToServer, 5004, 7001, push, "next", []string{`to server seq 5004 ack 7001 flags 18 "next"`}, 0},
			{ToClient, 7001, 0, packet.RST, "", []string{`to client seq 7001 ack 5008 flags 18 "an answer"`}, 0},
		}},
		"lost on its way": {"an answer", false, Verdict{}, []step{
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
			{want: []string{held}, wait: firstRTO},
			{ToServer, 5004, 7010, ack, "", []string{`to client seq 7010 ack 5004 flags 14 ""`}, 0},
		}},
		"an answer to older words": {"an answer", true, Verdict{}, []step{
			{ToClient, 7005, 0, packet.RST, "", []string{`to server seq 5004 ack 7010 flags 10 ""`}, 0},
			{ToClient, 7010, 0, packet.RST, "", []string{held}, 0},
		}},
		"acknowledged by us": {"an answer", true, Verdict{}, []step{
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
			{ToServer, 5004, 7010, ack, "", []string{`to client seq 7010 ack 5004 flags 14 ""`}, 0},
		}},
		"what the client sends meanwhile is ours to take": {"an answer", false, Verdict{}, []step{
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
			{ToServer, 5004, 7001, push, "more", []string{`to client seq 7010 ack 5008 flags 10 ""`}, 0},
			{ToServer, 5008, 7010, ack, "", []string{`to client seq 7010 ack 5008 flags 14 ""`}, 0},
		}},
		"more than may be on its way at once": {long, true, Verdict{}, []step{
			{ToClient, 27001, 5004, rst, "", []string{part(0, 1000)}, 0},
			{ToServer, 5004, 8001, ack, "", []string{part(1000, 2000)}, 0},
		}},
		"a verdict on bytes to come": {"an answer", false, Verdict{Release: 1 << 20}, []step{
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
			{ToServer, 5004, 7010, ack, "", []string{`to client seq 7010 ack 5004 flags 14 ""`}, 0},
		}},
		"a verdict that resets": {"an answer", false, Verdict{End: Reset}, []step{
			{ToClient, 7010, 5004, rst, "", []string{`to server seq 5004 ack 7001 flags 14 ""`, `to client seq 7001 ack 5004 flags 14 ""`}, 0},
		}},
		"a number that the client would not take": {"an answer", false, Verdict{}, []step{
			{ToClient, 7011, 5004, rst, "", []string{`to client seq 7002 ack 5004 flags 14 ""`}, 0},
			{ToClient, 7010, 5004, rst, "", []string{held}, 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTaken()
			k.known = false
			k.cfg.Services[0].New = func(Conn, bool) Inspector { return untilEnd{tt.last} }
			k.say(ToServer, 4999, 0, packet.SYN, "")
			k.say(ToClient, 7000, 5000, synack, "")
			k.say(ToServer, 5000, 7001, ack, "")
			k.say(ToServer, 5000, 7001, push, "ask.")
			k.say(ToClient, 7001, 5004, ack, "")
			expect(t, "what is held", k.say(ToClient, 7001, 5004, push, tt.answer))
			if tt.late {
				if got := k.pass(int64(k.cfg.Limits.HoldDelay)); len(got) != 1 {
					t.Fatalf("the engine has sent %v; want an acknowledgement of what it holds", got)
				}
			}
			for i, s := range tt.steps {
				if s.wait != 0 {
					expect(t, fmt.Sprintf("step %d", i), k.pass(s.wait), s.want...)
					continue
				}
				expect(t, fmt.Sprintf("step %d", i), k.say(s.dir, s.seq, s.ack, s.flags, s.payload), s.want...)
			}
		})
	}
}
