package websocket

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// longer asks for c where the frame, or all of the message that has come whole,
// inflates to more than limit.
func longer(limit int64, c protocol.Correction) rules {
	return rules{"client.inflated": func(e *protocol.Element) (protocol.Correction, bool) {
		whole, total := e.Field("whole").Value.(bool), e.Field("total").Value.(int64)
		return c, e.Field("frame").Value.(int64) > limit || whole && total > limit
	}}
}

// inFrames sends a compressed message, with a Ping between its frames.
func inFrames(r *rand.Rand, payload []byte) []byte {
	var out []byte
	h := header{rsv: 4, opcode: opBinary, masked: true, key: key}
	for {
		n := len(payload)
		if r.IntN(3) > 0 {
			n = r.IntN(n + 1)
		}
		if r.IntN(4) == 0 {
			n = min(n, r.IntN(4))
		}
		h.fin = n == len(payload)
		out = append(out, makeFrame(h, payload[:n])...)
		if payload = payload[n:]; h.fin {
			return out
		}
		if r.IntN(3) == 0 {
			out = append(out, client(opPing, true, "p")...)
		}
		h.rsv, h.opcode = 0, opContinuation
	}
}

// messageOf joins the payload of the one message that the server gets; extra is what
// stands behind its last frame.
func messageOf(b []byte) (payload, extra []byte) {
	for {
		f, ok := parseHeader(b)
		if !ok || int64(len(b)) < int64(f.size)+f.length {
			return payload, b
		}
		if !f.control() {
			at := len(payload)
			payload = append(payload, b[f.size:f.size+int(f.length)]...)
			mask(payload[at:], f.key)
		}
		b = b[f.size+int(f.length):]
	}
}

// A message that becomes longer than rules allow never reaches the server as one that
// can be inflated, wherever it is cut; every other passes as it came.
func TestGrowth(t *testing.T) {
	spoiled, refused, passed := 0, 0, 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 6))
		packed, size := streams(t, r)
		if r.IntN(4) == 0 {
			packed = final(t, string(texts(r)))
			size, _ = inflates(packed)
		}
		up := inFrames(r, packed)
		limit := size + 1 - int64(r.IntN(3))
		if r.IntN(2) == 0 {
			limit = r.Int64N(size + 1)
		}
		c := protocol.Correction{Action: protocol.Spoil}
		if r.IntN(2) == 0 {
			c = protocol.Correction{Action: protocol.Reject, Late: protocol.LateSpoil, Reply: &protocol.Reply{Status: 1009}}
		}
		w := wiretest.New(t, New(longer(limit, c), Options{Deflate: true}))
		for rest, most := up, 1+r.IntN(1+r.IntN(20000)); len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(most))
			w.Feed(session.ToServer, rest[:n], false)
			rest = rest[n:]
		}
		got := w.Out(session.ToServer)
		if size <= limit {
			passed++
			if !bytes.Equal(got, up) || w.End != session.Continue || len(w.Evidence()) > 0 {
				t.Fatalf("seed %d: a message of %d octets, %d sent, limit %d, does not pass; end %d, %v", seed, size, len(packed), limit, w.End, w.Evidence())
			}
			continue
		}
		if w.End != session.Continue {
			t.Fatalf("seed %d: end %d", seed, w.End)
		}
		payload, extra := messageOf(got)
		n, invalid := inflates(payload) // what is left of a stored block is filled up
		closing, want := []byte("\x88\x02\x03\xef"), "\x88\x02\x03\xf1"
		switch {
		case n > limit+1<<16+300 || len(extra) > 0:
			t.Fatalf("seed %d: the server inflates %d octets of %d, limit %d, and gets %d behind", seed, n, size, limit, len(extra))
		case invalid:
			if spoiled++; c.Action == protocol.Spoil {
				want = string(closing)
			}
		default:
			refused++
			closing = server(opPong, fenceText)
			if !bytes.HasSuffix(got, fencePing) {
				t.Fatalf("seed %d: the server gets %d octets that are valid, and is not asked for the end of its answers", seed, len(payload))
			}
		}
		w.Feed(session.ToClient, join(server(1, "answer"), closing), false)
		if want = string(server(1, "answer")) + want; string(w.Out(session.ToClient)) != want {
			t.Fatalf("seed %d: the client gets %q; want %q", seed, w.Out(session.ToClient), want)
		}
		w.Feed(session.ToServer, client(1, true, "more"), false)
		w.Feed(session.ToServer, client(opClose, true, "\x03\xf1"), false)
		if !bytes.Equal(w.Out(session.ToServer), join(got, client(opClose, true, "\x03\xf1"))) {
			t.Fatalf("seed %d: behind the refusal the server gets more than a Close", seed)
		}
	}
	if spoiled == 0 || refused == 0 || passed == 0 {
		t.Errorf("%d made invalid, %d refused, %d passed; want each", spoiled, refused, passed)
	}
}

// A long message is not held, and what is held of one is bounded.
func TestGrowthIsNotHeld(t *testing.T) {
	for name, level := range map[string]int{"stored": flate.NoCompression, "packed": flate.DefaultCompression} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		r := rand.New(rand.NewPCG(1, 7))
		for range 4 << 20 {
			w.Write([]byte{"abcdefghijklmnop"[r.IntN(16)]})
		}
		w.Flush()
		up := makeFrame(header{fin: true, rsv: 4, opcode: 1, masked: true, key: key}, bytes.TrimSuffix(b.Bytes(), sync))
		wire := wiretest.New(t, New(longer(1<<40, protocol.Correction{Action: protocol.Spoil}), Options{Deflate: true}))
		most := 0
		for at := 0; at < len(up); at += 1460 {
			wire.Feed(session.ToServer, up[at:min(at+1460, len(up))], false)
			most = max(most, min(at+1460, len(up))-len(wire.Out(session.ToServer)))
		}
		if !bytes.Equal(wire.Out(session.ToServer), up) || most > 66<<10 {
			t.Errorf("%s: %d octets were held; passed as it came: %v", name, most, bytes.Equal(wire.Out(session.ToServer), up))
		}
	}
}

// Of a message that is held because of another rule its length is told, too.
func TestGrowthOfHeld(t *testing.T) {
	var z deflater
	up := z.frame(t, strings.Repeat("x", 2000))
	for _, c := range []protocol.Correction{{Action: protocol.Spoil}, {Action: protocol.Reject, Reply: &protocol.Reply{Status: 1009}}, {Action: protocol.Reset}} {
		for _, limit := range []int64{1999, 2000} {
			set := longer(limit, c)
			set["client.message"] = has("evil", protocol.Correction{Action: protocol.Drop})
			w := wiretest.New(t, New(set, Options{MaxMessage: 2000, Deflate: true}))
			play(w, up, nil, 1)
			got := w.Out(session.ToServer)
			if limit == 2000 {
				if !bytes.Equal(got, up) {
					t.Errorf("action %d: a message that is not too long is changed: %q", c.Action, got)
				}
				continue
			}
			payload, _ := messageOf(got)
			_, invalid := inflates(payload)
			if ok := map[protocol.Action]bool{protocol.Spoil: invalid, protocol.Reject: bytes.Equal(got, fencePing), protocol.Reset: w.End == session.Reset && len(got) == 0}[c.Action]; !ok {
				t.Errorf("action %d: the server gets %q, end %d", c.Action, got, w.End)
			}
		}
	}
}

// FuzzGrowth sends anything as compressed messages, cut at random: what a server
// inflates of it stays within the limit, and what is within it passes as it came.
func FuzzGrowth(f *testing.F) {
	for seed := range uint64(8) {
		packed, size := streams(f, rand.New(rand.NewPCG(seed, 8)))
		f.Add(packed[:min(len(packed), 3000)], uint16(size), seed)
	}
	f.Add(final(f, "a text, a text"), uint16(9), uint64(1))
	f.Fuzz(func(t *testing.T, payload []byte, limit uint16, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 9))
		up := inFrames(r, payload)
		if r.IntN(4) == 0 {
			up = append(up, inFrames(r, payload)...)
		}
		c := protocol.Correction{Action: protocol.Spoil}
		if r.IntN(2) == 0 {
			c = protocol.Correction{Action: protocol.Reject, Late: protocol.LateSpoil, Reply: &protocol.Reply{Status: 1009}}
		}
		w := wiretest.New(t, New(longer(int64(limit), c), Options{Deflate: true, Fresh: [2]bool{r.IntN(2) == 0}}))
		for rest, most := up, 1+r.IntN(100); len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(most))
			w.Feed(session.ToServer, rest[:n], false)
			rest = rest[n:]
		}
		got := w.Out(session.ToServer)
		if len(w.Evidence()) == 0 && !bytes.Equal(got, up) {
			t.Fatalf("nothing is reported, and the server gets %x; want %x", got, up)
		}
		first, _ := parseHeader(up)
		sent, _ := messageOf(got[:min(len(got), first.size+int(first.length))])
		if n, _ := inflates(sent); n > int64(limit)+1<<16+300 {
			t.Fatalf("the server inflates %d octets of its first frame; limit %d", n, limit)
		}
	})
}

// What only reports does so once for a message, and changes nothing.
func TestGrowthIsToldOnce(t *testing.T) {
	var z deflater
	up := join(z.frame(t, strings.Repeat("x", 200000)), z.frame(t, strings.Repeat("x", 100000)))
	for _, c := range []protocol.Correction{{Action: protocol.Report}, {Action: protocol.Spoil, Shadow: true}} {
		w := wiretest.New(t, New(longer(100, c), Options{Deflate: true}))
		play(w, up, nil, 7)
		if n := len(w.Evidence()); n != 2 || !bytes.Equal(w.Out(session.ToServer), up) {
			t.Errorf("action %d: reported %d times of two messages; passed as they came: %v", c.Action, n, bytes.Equal(w.Out(session.ToServer), up))
		}
	}
}
