package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/packet"
)

// recorder releases lines, and notes what the client said.
type recorder struct{ seen *string }

func (r recorder) Inspect(dir Direction, data []byte, _ bool) Verdict {
	n := strings.LastIndexByte(string(data), '\n') + 1
	if dir == ToServer {
		*r.seen += string(data[:n])
	}
	return Verdict{Release: int64(n)}
}

// TestSilentAtPickUp: a session is picked up in its middle at what its sender says,
// since the receiver is silent. What lies before that place is inspected in order
// when it comes, or the session is reset.
func TestSilentAtPickUp(t *testing.T) {
	const head, tail, part = "head\n", "tail\n", "tai"
	const start, from = 5005, 5000 // where it is picked up, and where the receiver stands
	type step struct {
		dir     Direction
		seq     uint32
		ack     uint32
		payload string
	}
	for name, tt := range map[string]struct {
		first string
		then  []step
		seen  string
		reset bool
	}{
		"the receiver has less": {tail, []step{{ToClient, 7000, from, ""}, {ToServer, from, 7000, head}, {ToClient, 7000, from, ""}, {ToServer, from, 7000, head}, {ToServer, start, 7000, tail}}, tail + head + tail, false},
		"the sender goes back":  {tail, []step{{ToServer, from, 7000, head}, {ToClient, 7000, from, ""}, {ToServer, from, 7000, head}, {ToServer, start, 7000, tail}}, tail + head + tail, false},
		"the receiver has all":  {tail, []step{{ToClient, 7000, start + 5, ""}, {ToServer, start + 5, 7000, head}}, tail + head, false},
		"a part is held, less":  {part, []step{{ToClient, 7000, from, ""}}, "", true},
	} {
		k, seen := newTaken(), ""
		k.known = false
		k.cfg.Services[0].New = func(Conn, bool) Inspector { return recorder{&seen} }
		for i := range maxFirst + 1 {
			got := k.say(ToServer, start, 7000, packet.ACK|packet.PSH, tt.first)
			if i < maxFirst && len(got) != 1 || strings.Contains(fmt.Sprint(got), "tail") != (i == maxFirst && tt.first == tail) {
				t.Fatalf("%s: try %d sends %v; want the receiver asked, and the segment at the end", name, i, got)
			}
			k.now += tryEvery
		}
		k.Tick(k.now + int64(10*time.Millisecond)) // what is held is promised
		var got []string
		for _, s := range tt.then {
			got = k.say(s.dir, s.seq, s.ack, packet.ACK, s.payload)
			k.now += surelyNow
		}
		if seen != tt.seen {
			t.Errorf("%s: the decoder saw %q; want %q", name, seen, tt.seen)
		}
		if reset := strings.Contains(fmt.Sprint(got), "flags 14"); reset != tt.reset {
			t.Errorf("%s: at last %v is sent; want a reset: %t", name, got, tt.reset)
		}
	}
}
