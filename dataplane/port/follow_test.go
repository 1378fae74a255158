package port

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	ask    = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	body   = "0123456789"
)

// vetted makes a judge that lets every simple message go on.
func vetted(t testing.TB) *judge {
	j := newJudge(t)
	j.SetVetting(Vetting{Requests: true, Responses: true})
	return j
}

// want checks what became of a segment.
func want(t *testing.T, what string, got, want fate) {
	t.Helper()
	if got != want {
		t.Fatalf("%s went %s; want %s", what, got, want)
	}
}

// again is a segment with bytes that were said before.
func (k *talk) again(from Side, back int, payload string) fate {
	return k.send(piece{from: from, in: from, flags: flagACK, seq: k.seq[from] - uint32(back), ack: k.seq[1-from], payload: payload})
}

// TestFollowed walks through exchanges below and checks what the program has
// noted in the end.
func TestFollowed(t *testing.T) {
	j := vetted(t)
	k := j.open(1)
	for i := range 3 {
		want(t, "request", k.say(A, ask), on)
		want(t, "request again", k.again(A, len(ask), ask), on)
		want(t, "head of the response", k.say(B, answer+body[:3]), on)
		want(t, "more of the body", k.say(B, body[3:6]), on)
		want(t, "the head again", k.again(B, len(answer)+6, answer+body[:6]), on)
		want(t, "the rest", k.say(B, body[6:]), on)
		want(t, "acknowledgement", k.say(A, ""), on)
		if i == 1 {
			want(t, "keep-alive probe", k.again(A, 1, ""), on)
		}
	}
	s, known, marked, err := k.Take(k.flow())
	if err != nil || !known || !marked {
		t.Fatalf("Take = known %t, marked %t, %v; want both", known, marked, err)
	}
	w := Session{Followed: true, Established: true}
	for i, first := range []uint32{0xffffff00, 77} {
		w.Dir[i] = Stream{First: first, Next: k.seq[i], Top: k.seq[i], Acked: k.seq[i], Window: 1000, MSS: 1460, HasScale: true, Scale: []uint8{7, 9}[i]}
	}
	for i := range s.Dir {
		d := &s.Dir[i]
		if d.Size == 0 || d.Sum == 0 {
			t.Errorf("direction %d: no message is noted", i)
		}
		if i == 0 && d.Sum != k.Sum([]byte(ask)) {
			t.Errorf("sum of the request = %x; want %x", d.Sum, k.Sum([]byte(ask)))
		}
		d.From, d.Size, d.Sum = 0, 0, 0
	}
	if diff := cmp.Diff(w, s); diff != "" {
		t.Errorf("session as taken (-want +got):\n%s", diff)
	}
	want(t, "a request of a taken session", k.say(A, ask), up)
	if err := k.Give(k.flow(), s, A); err != nil {
		t.Fatal(err)
	}
	want(t, "a request before all was read", k.say(A, ask), up)
	if err := k.Give(k.flow(), s, A); err != nil {
		t.Fatal(err)
	}
	k.Drained(k.Handed())
	want(t, "a request of a session given back", k.say(A, ask), on)
}

// TestHeadInOneSegment: a response may come as one frame for many segments, but a
// head that is more than the first of them is the engine's.
func TestHeadInOneSegment(t *testing.T) {
	j := vetted(t)
	for i, c := range []struct {
		gso  int
		want fate
	}{{len(answer), on}, {len(answer) - 1, up}} {
		k := j.open(uint16(1 + i))
		j.gso = 0
		want(t, "the request", k.say(A, ask), on)
		j.gso = uint32(c.gso)
		if got := k.say(B, answer+body); got != c.want {
			t.Errorf("a head of %d bytes in segments of %d went %s; want %s", len(answer), c.gso, got, c.want)
		}
	}
}

// TestSessionGoesUp does one thing out of order in each session.
func TestSessionGoesUp(t *testing.T) {
	j := vetted(t)
	for i, c := range []struct {
		name string
		do   func(k *talk) fate
		want fate
	}{
		{"request again with other content", func(k *talk) fate {
			k.say(A, ask)
			return k.again(A, len(ask), strings.Replace(ask, "/a", "/b", 1))
		}, up},
		{"a part of the request again", func(k *talk) fate { k.say(A, ask); return k.again(A, len(ask), ask[:10]) }, up},
		{"the request and more", func(k *talk) fate { k.say(A, ask); return k.again(A, len(ask), ask+ask) }, up},
		{"a second request before the response", func(k *talk) fate { k.say(A, ask); return k.say(A, ask) }, up},
		{"two requests at once", func(k *talk) fate { return k.say(A, ask+ask) }, up},
		{"a request in two pieces", func(k *talk) fate { return k.say(A, ask[:20]) }, up},
		{"a request ahead of a gap", func(k *talk) fate { k.seq[A] += 5; return k.say(A, ask) }, up},
		{"a response without a request", func(k *talk) fate { return k.say(B, answer+body) }, up},
		{"a body too long", func(k *talk) fate { k.say(A, ask); return k.say(B, answer+body+"x") }, up},
		{"more behind the body", func(k *talk) fate { k.say(A, ask); k.say(B, answer+body); return k.say(B, "x") }, up},
		{"the response's head again, changed", func(k *talk) fate {
			k.say(A, ask)
			k.say(B, answer+body)
			return k.again(B, len(answer+body), strings.Replace(answer, "OK", "KO", 1)+body)
		}, up},
		{"the body again, changed", func(k *talk) fate { k.say(A, ask); k.say(B, answer+body); return k.again(B, 4, "6xx9") }, on},
		{"a body ahead of a gap", func(k *talk) fate { k.say(A, ask); k.say(B, answer); k.seq[B] += 5; return k.say(B, body[5:]) }, on},
		{"a response before the last was acknowledged", func(k *talk) fate {
			k.say(A, ask)
			k.say(B, answer+body)
			k.send(piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B] - 1, payload: ask})
			k.seq[A] += uint32(len(ask))
			return k.say(B, answer+body)
		}, up},
		{"an acknowledgement of what was not sent", func(k *talk) fate { k.seq[B]++; return k.say(A, "") }, up},
		{"from the wrong side", func(k *talk) fate {
			return k.send(piece{from: B, in: A, flags: flagACK, seq: k.seq[B], ack: k.seq[A]})
		}, up},
		{"a SYN", func(k *talk) fate { return k.send(piece{from: A, in: A, flags: flagSYN, seq: 5}) }, up},
		{"urgent data", func(k *talk) fate {
			return k.send(piece{from: A, in: A, flags: flagACK | flagURG, seq: k.seq[A], ack: k.seq[B], payload: ask})
		}, up},
		{"no flag at all", func(k *talk) fate { return k.send(piece{from: A, in: A, seq: k.seq[A], payload: ask}) }, up},
		{"a reset", func(k *talk) fate { return k.send(piece{from: B, in: B, flags: flagRST, seq: k.seq[B]}) }, on},
		{"a reset with a payload", func(k *talk) fate {
			return k.send(piece{from: B, in: B, flags: flagRST | flagACK, seq: k.seq[B], ack: k.seq[A], payload: "x"})
		}, up},
		{"a FIN ahead of a gap", func(k *talk) fate {
			return k.send(piece{from: A, in: A, flags: flagACK | flagFIN, seq: k.seq[A] + 1, ack: k.seq[B]})
		}, up},
		{"bytes behind a FIN", func(k *talk) fate {
			k.send(piece{from: A, in: A, flags: flagACK | flagFIN, seq: k.seq[A], ack: k.seq[B]})
			return k.say(A, ask)
		}, up},
	} {
		k := j.open(uint16(i + 1))
		got := c.do(k)
		if got != c.want {
			t.Errorf("%s went %s; want %s", c.name, got, c.want)
		}
		if after := k.say(B, ""); got == up && after != up {
			t.Errorf("%s: what came then went %s; want up", c.name, after)
		}
	}
}

// TestBadChecksumChangesNothing: what its receiver discards does not count.
func TestBadChecksumChangesNothing(t *testing.T) {
	j := vetted(t)
	k := j.open(1)
	bad := piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B], payload: strings.Replace(ask, "/a", "/b", 1), spoil: 1}
	want(t, "a request with a bad checksum", k.send(bad), up)
	want(t, "the request", k.say(A, ask), on)
	other := &talk{judge: j, client: 2, seq: [2]uint32{5, 6}}
	want(t, "a SYN with a bad checksum", other.send(piece{from: A, in: A, flags: flagSYN, seq: 1, spoil: 1}), up)
	if _, known, _, _ := j.Take(other.flow()); known {
		t.Error("a SYN with a bad checksum was noted")
	}
}

// TestEndOfSession: both FINs and their acknowledgements end it below.
func TestEndOfSession(t *testing.T) {
	j := vetted(t)
	k := j.open(1)
	want(t, "request", k.say(A, ask), on)
	fin := func(from Side, payload string) piece {
		p := piece{from: from, in: from, flags: flagACK | flagFIN, seq: k.seq[from], ack: k.seq[1-from], payload: payload}
		k.seq[from] += uint32(len(payload)) + 1
		return p
	}
	want(t, "the response with a FIN", k.send(fin(B, answer+body)), on)
	want(t, "the FIN again", k.send(piece{from: B, in: B, flags: flagACK | flagFIN, seq: k.seq[B] - 1, ack: k.seq[A]}), on)
	want(t, "the client's FIN", k.send(fin(A, "")), on)
	want(t, "the last acknowledgement", k.say(B, ""), on)
	want(t, "an acknowledgement behind the end", k.say(B, ""), on)
	c, err := j.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if opened, closed := c[A].Opened+c[B].Opened, c[A].Closed+c[B].Closed; opened != 1 || closed != 1 {
		t.Errorf("sessions opened, closed = %d, %d; want 1, 1", opened, closed)
	}
	if _, known, _, _ := j.Take(k.flow()); known {
		t.Error("the session is still known")
	}
	want(t, "a segment of a session that the engine has", k.say(A, ""), up)
}

// TestFloodEvictsNoSession: handshakes that do not come to an end give way to
// each other, and to no session.
func TestFloodEvictsNoSession(t *testing.T) {
	j := vetted(t)
	k := j.open(1)
	half := &talk{judge: j, client: 2}
	frame := half.frame(piece{from: A, in: A, flags: flagSYN, seq: 9})
	for i := range 3 * int(j.objs.WpOpenings.MaxEntries()) / 2 {
		frame[27], frame[28], frame[29] = byte(i>>16), byte(i>>8), byte(i)
		j.patch(frame)
		if got := j.show(A, frame); got != on {
			t.Fatalf("SYN %d went %s; want on", i, got)
		}
	}
	want(t, "a request of the session from before", k.say(A, ask), on)
	found, err := j.SweepSessions(func(ServiceEnd) bool { return true }, time.Hour, time.Hour, false, nil)
	if err != nil || found.Below != 1 || found.Above != 0 {
		t.Errorf("sessions below, above = %d, %d, %v; want 1, 0", found.Below, found.Above, err)
	}
}

// TestSweep finds what is over, and what is not protected.
func TestSweep(t *testing.T) {
	j := vetted(t)
	for i := range 300 {
		j.open(uint16(i + 1))
	}
	reset := j.open(1000)
	reset.send(piece{from: B, in: B, flags: flagRST, seq: reset.seq[B]})
	time.Sleep(20 * time.Millisecond) // the clock is a coarse one
	all := func(ServiceEnd) bool { return true }
	found, err := j.SweepSessions(all, time.Hour, 0, false, nil)
	if err != nil || found.Below != 301 || len(found.Expired) != 1 || len(found.Services) != 1 {
		t.Fatalf("SweepSessions = %+v, %v; want 301 below, one of them expired", found, err)
	}
	if gone, err := j.Expire(found.Expired[0], time.Hour, 0); !gone || err != nil {
		t.Errorf("Expire = %t, %v; want true", gone, err)
	}
	found, err = j.SweepSessions(func(e ServiceEnd) bool { return e.Port != 80 }, time.Hour, 0, false, nil)
	if err != nil || len(found.Strays) != 300 {
		t.Errorf("strays = %d, %v; want 300", len(found.Strays), err)
	}
	if _, _, _, err := j.Take(found.Strays[0]); err != nil {
		t.Fatal(err)
	}
	found, err = j.SweepSessions(all, time.Hour, 0, true, nil)
	if err != nil || found.Above != 1 || len(found.Orphans) != 1 {
		t.Errorf("above = %d (%d named), %v; want 1", found.Above, len(found.Orphans), err)
	}
}

func BenchmarkProgram(b *testing.B) {
	j := vetted(b)
	k := j.open(1)
	request := strings.Replace(ask, "\r\n\r\n", "\r\nUser-Agent: bench/1.0\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Encoding: gzip\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: theme=dark\r\n\r\n", 1)
	if got := k.say(A, request); got != on {
		b.Fatal(got)
	}
	for name, f := range map[string][]byte{"acknowledgement": k.frame(piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B]}),
		fmt.Sprintf("request again, %d bytes", len(request)): k.frame(piece{from: A, in: A, flags: flagACK, seq: k.seq[A] - uint32(len(request)), ack: k.seq[B], payload: request})} {
		b.Run(name, func(b *testing.B) {
			j.engine.beat()
			d, err := j.run(A, f, b.N)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(d), "ns/frame")
		})
	}
}

// TestNotesAreTakenOnce: once frames of a session have gone past the engine, it
// is told nothing of it that was noted before.
func TestNotesAreTakenOnce(t *testing.T) {
	j := vetted(t)
	post := func(k *talk) fate {
		return k.send(piece{from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B], payload: "POST /x HTTP/1.1\r\n"})
	}
	handed, taken := j.open(1), j.open(2)
	want(t, "what the engine is to read", post(handed), up)
	want(t, "what it has read", post(taken), up)
	if _, known, _, err := taken.Take(taken.flow()); err != nil || !known {
		t.Fatalf("Take = known %t, %v; want it known", known, err)
	}
	j.dead = true
	want(t, "the same past the engine", post(handed), on)
	want(t, "the same of a session that it has", post(taken), on)
	j.dead = false
	for i, k := range []*talk{handed, taken} {
		if s, known, marked, err := k.Take(k.flow()); err != nil || known || !marked {
			t.Errorf("Take of session %d = %+v, known %t, marked %t, %v; want it marked and not known", i, s, known, marked, err)
		}
	}
	fin := piece{from: A, in: A, flags: flagACK | flagFIN, seq: 7, ack: 7}
	want(t, "a FIN of a session that the engine has", handed.send(fin), up)
	if err := handed.Forget(handed.flow()); err != nil {
		t.Fatal(err)
	}
	want(t, "a FIN of a session that nobody knows", handed.send(fin), up)
}
