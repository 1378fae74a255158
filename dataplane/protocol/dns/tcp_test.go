package dns

import (
	"bytes"
	"strings"
	"testing"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// pipe carries one session's bytes and verdicts, as package session does.
type pipe struct {
	t       testing.TB
	s       *Stream
	pending [2][]byte
	out     [2][]byte
	forever [2]bool
	end     session.End
}

func newPipe(t testing.TB, r protocol.Rules, o whole.Options) *pipe {
	return &pipe{t: t, s: NewStream(r, conn, o)}
}

func (p *pipe) send(dir session.Direction, b []byte, eof bool) {
	if p.end != session.Continue {
		return
	}
	p.pending[dir] = append(p.pending[dir], b...)
	if p.forever[dir] {
		p.out[dir], p.pending[dir] = append(p.out[dir], p.pending[dir]...), nil
		return
	}
	v := p.s.Inspect(dir, p.pending[dir], eof)
	if p.end = v.End; v.End == session.Reset {
		return
	}
	n := len(p.pending[dir])
	if v.Release == session.Forever {
		p.forever[dir] = true
	} else if v.Release > int64(n) {
		p.t.Fatalf("released %d of %d bytes", v.Release, n)
	} else {
		n = int(v.Release)
	}
	p.out[dir] = append(p.out[dir], whole.Apply(p.pending[dir][:n], v.Edits)...)
	p.pending[dir] = p.pending[dir][n:]
	if eof && len(p.pending[dir]) > 0 && p.end == session.Continue {
		p.t.Fatalf("%d bytes are held at the end", len(p.pending[dir]))
	}
	if other := dir.Other(); len(v.Reply) > 0 {
		if len(p.pending[other]) > 0 || p.forever[other] {
			p.t.Fatal("a reply goes into the middle of a message")
		}
		p.out[other] = append(p.out[other], v.Reply...)
	}
}

// refuse rejects queries of type TXT and drops those of type ANY.
var refuse = rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
	if e.Kind != "query.question" {
		return nil
	}
	switch e.Field("type").Value {
	case "TXT":
		text, _ := m.Lookup("reply.refused")
		return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: text.(string)}}
	case "ANY":
		return &protocol.Correction{Action: protocol.Drop}
	}
	return nil
})

func TestStream(t *testing.T) {
	a, txt, anything := query(t, "a.example.", lib.TypeA), query(t, "b.example.", lib.TypeTXT), query(t, "c.example.", lib.TypeANY)
	answer := response(t)
	in, back := frame(a, txt, anything, a), frame(answer, answer)
	for _, size := range []int{1, 2, 7, 100, len(in)} {
		p := newPipe(t, refuse, whole.Options{})
		for at := 0; at < len(in); at += size {
			p.send(session.ToServer, in[at:min(at+size, len(in))], false)
			if at < len(back) { // answers are under way when the reply is due
				p.send(session.ToClient, back[at:min(at+size, len(back))], false)
			}
		}
		if len(in) < len(back) {
			p.send(session.ToClient, back[(len(in)+size-1)/size*size:], false)
		}
		p.send(session.ToServer, nil, true)
		p.send(session.ToClient, nil, true)
		if want := frame(a, a); !bytes.Equal(p.out[session.ToServer], want) {
			t.Errorf("in pieces of %d: the server got %d bytes; want the two queries, %d", size, len(p.out[session.ToServer]), len(want))
		}
		var got []int
		for b := p.out[session.ToClient]; len(b) > 0; {
			n := 2 + int(b[0])<<8 + int(b[1])
			var m lib.Msg
			if err := m.Unpack(b[2:n]); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
			got = append(got, m.Rcode)
			b = b[n:]
		}
		refused := 0
		for _, rcode := range got {
			if rcode == lib.RcodeRefused {
				refused++
			}
		}
		if len(got) != 3 || refused != 1 {
			t.Errorf("in pieces of %d: the client got answers with codes %v; want two and one refused", size, got)
		}
	}
}

func TestStreamPolicies(t *testing.T) {
	bad := frame([]byte("no DNS message"))
	p := newPipe(t, harmless, whole.Options{})
	if p.send(session.ToServer, bad, false); p.end != session.Reset {
		t.Errorf("undecodable: the session ends %v; want a reset", p.end)
	}
	p = newPipe(t, harmless, whole.Options{Exceed: "pass"})
	p.send(session.ToServer, bad, false)
	p.send(session.ToServer, []byte("more"), true)
	if want := append(bad, "more"...); !bytes.Equal(p.out[session.ToServer], want) || p.end != session.Continue {
		t.Errorf("undecodable with pass: %q, ends %v; want all of it", p.out[session.ToServer], p.end)
	}
	p = newPipe(t, refuse, whole.Options{MidStream: true})
	txt := frame(query(t, "b.example.", lib.TypeTXT))
	if p.send(session.ToServer, txt, true); !bytes.Equal(p.out[session.ToServer], txt) {
		t.Error("a session that was under way is inspected")
	}
	p = newPipe(t, harmless, whole.Options{})
	if p.send(session.ToServer, txt[:9], true); len(p.out[session.ToServer]) != 0 || p.end != session.Continue {
		t.Errorf("half a message at the end: %q; want nothing", p.out[session.ToServer])
	}
}

// TestStreamTooLong: a reply that TCP's two bytes of length cannot announce.
func TestStreamTooLong(t *testing.T) {
	for size, want := range map[int]session.End{65535: session.Continue, 65536: session.Reset} {
		long := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != "query.question" {
				return nil
			}
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: strings.Repeat("x", size)}}
		})
		for _, exceed := range []string{protocol.ExceedPass, protocol.ExceedReset} {
			p := newPipe(t, long, whole.Options{Exceed: exceed})
			p.send(session.ToServer, frame(query(t, "a.example.", lib.TypeA)), false)
			if got := len(p.out[session.ToClient]); p.end != want || len(p.out[session.ToServer]) > 0 || want == session.Continue && got != 2+size {
				t.Errorf("reply of %d bytes, exceed %s: ends %v, %d bytes to the client; want %v", size, exceed, p.end, got, want)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(frame(query(f, "a.example.", lib.TypeTXT), query(f, "b.example.", lib.TypeA)), frame(response(f)), uint8(3))
	f.Fuzz(func(t *testing.T, in, back []byte, size uint8) {
		step := int(size) + 1
		for _, r := range []rules{refuse, harmless} {
			p := newPipe(t, r, whole.Options{Exceed: "pass"})
			for at := 0; at < max(len(in), len(back)); at += step {
				p.send(session.ToServer, in[min(at, len(in)):min(at+step, len(in))], at+step >= len(in))
				p.send(session.ToClient, back[min(at, len(back)):min(at+step, len(back))], at+step >= len(back))
			}
		}
	})
}
