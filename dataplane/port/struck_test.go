package port

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"wirepatch/dataplane/internal/netns"
)

const (
	markLine = "X-MaRk: anything at all, 0123456789\r\n"
	struckAs = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"
	marked   = "GET /a?b=c HTTP/1.1\r\nHost: a\r\n" + markLine + "Accept: */*\r\n\r\n"
)

// striking makes a judge that takes a field away.
func striking(t testing.TB) *judge {
	j := newJudge(t)
	var err error
	if j.struck, err = mapStruck(j.objs.WpStruck); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.struck.close() })
	j.SetVetting(Vetting{Requests: true, Responses: true, Strike: CanStrike([]string{"x-mark", "x-other-mark"}), Texts: [2][]string{{"evil-text"}, {"evil-text"}}})
	return j
}

// out runs the program once more on a frame that it lets go on.
func (k *talk) out(p piece) []byte {
	k.t.Helper()
	frame := k.frame(p)
	binary.BigEndian.PutUint16(frame[24:], ^ipSum(frame[14:34]))
	o := &ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+64)}
	k.engine.beat() // on a busy computer long ago when show did
	if _, err := k.objs.Wire.Run(o); err != nil {
		k.t.Fatal(err)
	}
	return o.DataOut
}

// ipSum adds an IPv4 header up.
func ipSum(h []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	return uint16(sum&0xffff + sum>>16)
}

// wantStruck checks a frame that has gone on without the line.
func (k *talk) wantStruck(frame []byte, payload string, seq, ack uint32) {
	k.t.Helper()
	ip, seg := frame[14:], frame[34:]
	if n := int(binary.BigEndian.Uint16(ip[2:])); n != len(ip) || n != 40+len(payload) {
		k.t.Errorf("IP length %d of %d bytes; want %d", n, len(ip), 40+len(payload))
	}
	if got := ipSum(ip[:20]); got != 0xffff {
		k.t.Errorf("the IP header adds up to %x", got)
	}
	if got := string(seg[20:]); got != payload {
		k.t.Errorf("payload %q; want %q", got, payload)
	}
	if got := [2]uint32{binary.BigEndian.Uint32(seg[4:]), binary.BigEndian.Uint32(seg[8:])}; got != [2]uint32{seq, ack} {
		k.t.Errorf("seq, ack = %d; want %d, %d", got, seq, ack)
	}
	if got := checksum(netns.Client4, netns.Server4, seg); got != 0xffff {
		k.t.Errorf("the checksum is wrong: all adds up to %x", got)
	}
}

// TestStruck: a line of a request is taken out below, in one request after the
// other, and both ends go on in their own numbers.
func TestStruck(t *testing.T) {
	j := striking(t)
	k := j.open(1)
	less := uint32(0) // what the server has got less
	for i := range 3 {
		p := piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B], payload: marked}
		if i == 1 {
			p.payload = strings.Replace(marked, "Accept", "accepT", 1)
		}
		got := k.send(p)
		want(t, "the request", got, on)
		corrected := strings.Replace(p.payload, markLine, "", 1)
		k.wantStruck(k.out(p), corrected, k.seq[A]-less, k.seq[B])
		s, ok := k.NextStruck()
		if !ok || s.Flow != k.flow() || s.First != (i == 0) || string(s.Line) != markLine {
			t.Errorf("told %+v, %t; want the line", s, ok)
		}
		if s, ok := k.NextStruck(); ok {
			t.Errorf("told %+v for a repetition", s)
		}
		// An acknowledgement from before, one of the whole, with the response.
		p = piece{from: B, in: B, flags: flagACK, seq: k.seq[B], ack: k.seq[A] - less}
		want(t, "an earlier acknowledgement", k.send(p), on)
		if got := binary.BigEndian.Uint32(k.out(p)[34+8:]); got != k.seq[A] {
			t.Errorf("it went on as %d; want %d", got, k.seq[A])
		}
		k.seq[A] += uint32(len(p.payload) + len(marked))
		less += uint32(len(markLine))
		p = piece{from: B, in: B, flags: flagACK, seq: k.seq[B], ack: k.seq[A] - less, payload: answer + body}
		want(t, "the response", k.send(p), on)
		if got := binary.BigEndian.Uint32(k.out(p)[34+8:]); got != k.seq[A] {
			t.Errorf("the response acknowledges %d; want %d", got, k.seq[A])
		}
		k.seq[B] += uint32(len(answer + body))
		p = piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B]}
		want(t, "its acknowledgement", k.send(p), on)
		if got := binary.BigEndian.Uint32(k.out(p)[34+4:]); got != k.seq[A]-less {
			t.Errorf("it went on at %d; want %d", got, k.seq[A]-less)
		}
		p = piece{from: A, in: A, flags: flagACK, seq: k.seq[A] - uint32(len(marked)), ack: k.seq[B], payload: marked}
		if i != 1 {
			want(t, "the acknowledged request again", k.send(p), on)
			k.wantStruck(k.out(p), struckAs, k.seq[A]-less-uint32(len(struckAs)), k.seq[B])
		}
	}
	s, known, _, err := k.Take(k.flow())
	if err != nil || !known || !s.Edited || !s.Settled() || s.Dir[A].Delta != -less || s.Dir[A].CutLen != uint32(len(markLine)) {
		t.Errorf("Take = %+v, %t, %v; want it settled, with %d bytes less", s, known, err, less)
	}
}

// TestStruckUp: what else there may be in or about such a request is the
// engine's, and it learns what was taken out.
func TestStruckUp(t *testing.T) {
	j := striking(t)
	client := uint16(1)
	ask := func(payload string) fate {
		client++
		return j.open(client).say(A, payload)
	}
	for what, p := range map[string]string{
		"two lines":     strings.Replace(marked, "Accept: */*\r\n", markLine, 1),
		"two names":     strings.Replace(marked, "Accept: */*\r\n", "x-other-mark: b\r\n", 1),
		"another text":  strings.Replace(marked, "b=c", "b=evil-text", 1),
		"a long line":   strings.Replace(marked, "anything", strings.Repeat("a", 512), 1),
		"a second one":  marked + marked,
		"without end":   marked[:len(marked)-2],
		"a folded line": strings.Replace(marked, "at all", "\r\n at all", 1),
		"HTTP/1.0":      strings.Replace(marked, "HTTP/1.1", "HTTP/1.0", 1),
		"another end":   strings.Replace(marked, "789\r\n", "789\n", 1),
		"only LF":       strings.ReplaceAll(marked, "\r\n", "\n"),
		"a CR within":   strings.Replace(marked, "at all", "at\rall", 1),
		"a space":       strings.Replace(marked, "X-MaRk:", "X-MaRk :", 1),
		"a body":        strings.Replace(marked, "Accept: */*", "Content-Length: 0", 1),
		"chunks":        strings.Replace(marked, "Accept: */*", "Transfer-Encoding: chunked", 1),
		"an upgrade":    strings.Replace(marked, "Accept: */*", "Upgrade: websocket", 1),
		"a method":      strings.Replace(marked, "GET", "PUT", 1),
		"a whole URL":   strings.Replace(marked, "GET /", "GET http://a/", 1),
	} {
		want(t, what, ask(p), up)
	}
	want(t, "a longer name", ask(strings.Replace(marked, "X-MaRk", "X-MaRk2", 1)), on)
	want(t, "the name as a value", ask(strings.Replace(marked, markLine, "a: x-mark: b\r\n", 1)), on)

	k := j.open(100)
	k.NextStruck()
	want(t, "a request", k.say(A, marked), on)
	for what, p := range map[string]piece{
		"a repetition that differs": {from: A, in: A, flags: flagACK, seq: k.seq[A] - uint32(len(marked)), ack: k.seq[B], payload: strings.Replace(marked, "Accept", "Bccept", 1)},
		"more":                      {from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B], payload: struckAs},
		"an end":                    {from: A, in: A, flags: flagACK | flagFIN, seq: k.seq[A], ack: k.seq[B]},
		"a part acknowledged":       {from: B, in: B, flags: flagACK, seq: k.seq[B], ack: k.seq[A] - uint32(len(marked)) + 5},
		"too much acknowledged":     {from: B, in: B, flags: flagACK, seq: k.seq[B], ack: k.seq[A] - 5},
	} {
		want(t, what, k.send(p), up)
		s, known, _, err := k.Take(k.flow())
		if err != nil || !known || !s.Edited || s.Settled() || !s.OnItsOwn() || string(s.Request) != marked {
			t.Fatalf("%s: Take = %+v, %t, %v; want it unsettled, with the request", what, s, known, err)
		}
		d := s.Dir[A]
		if line := s.Request[d.Cut : d.Cut+d.CutLen]; !bytes.Equal(line, []byte(markLine)) || int32(d.Delta) != -int32(len(markLine)) {
			t.Errorf("%s: cut %q, delta %d; want the line", what, line, int32(d.Delta))
		}
		k.restore(&s)
	}
}

// restore has the program follow a session again as it stood when it was taken.
func (k *talk) restore(s *Session) {
	k.t.Helper()
	key := flowKey(k.flow())
	var w wireSession
	if err := k.objs.WpSessions.Lookup(&key, &w); err != nil {
		k.t.Fatal(err)
	}
	w.State = sessionBelow
	if err := k.objs.WpSessions.Update(&key, &w, ebpf.UpdateLock); err != nil {
		k.t.Fatal(err)
	}
}
