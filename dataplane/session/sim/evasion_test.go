package sim

import (
	"bytes"
	"testing"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// The decoder of these tests knows one thing: EVIL becomes GOOD. It decides
// nothing before a line is whole.
type corrector struct{}

func (corrector) Inspect(_ session.Direction, data []byte, eof bool) session.Verdict {
	n := bytes.LastIndexByte(data, '\n') + 1
	if eof {
		n = len(data)
	}
	v := session.Verdict{Release: int64(n)}
	for at := 0; ; {
		i := bytes.Index(data[at:n], []byte("EVIL"))
		if i < 0 {
			return v
		}
		v.Edits = append(v.Edits, session.Edit{Start: at + i, End: at + i + 4, With: []byte("GOOD!")})
		at += i + 4
	}
}

// attack is a client that sends whatever frames it likes, and the bytes that
// a server would read from what comes out.
type attack struct {
	*run
	seen []byte // by output offset; 0: nothing there yet
	read int    // what the server has acknowledged
	fin  bool
	out  int // frames that left, either way
}

func newAttack(t *testing.T, v6 bool) *attack {
	t.Helper()
	c := Config{Seed: 1, V6: v6}
	for i := range c.Ends {
		c.Ends[i] = End{MSS: 1460, Scale: -1, Buffer: 65535, Window0: 10, MaxWindow: 10, SACK: true, Stamps: true, ISN: 1 << 31, Bytes: 100}
	}
	a := &attack{run: newRun(c, false)}
	a.strict = false
	svc := *a.service
	svc.New = func(session.Conn, bool) session.Inspector { return corrector{} }
	a.engine = session.NewEngine(session.Config{Output: a, Services: []*session.Service{&svc}})
	a.client(&segment{seq: a.ends[0].isn, flags: packet.SYN, window: 65535, opts: synOptions})
	a.server(&segment{seq: a.ends[1].isn, ack: a.ends[0].isn + 1, flags: packet.SYN | packet.ACK, window: 65535, opts: synOptions})
	a.client(&segment{seq: a.ends[0].isn + 1, ack: a.ends[1].isn + 1, flags: packet.ACK, window: 65535, opts: stampOptions(10)})
	return a
}

var synOptions = []byte{2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 10, 0, 0, 0, 0}

func stampOptions(v byte) []byte { return []byte{1, 1, 8, 10, 0, 0, 0, v, 0, 0, 0, 10} }

// Send collects what reaches the server, first come first kept, as a receiver
// does; a byte that comes with two values fails the run.
func (a *attack) Send(to session.Side, v packet.VNet, frame []byte) {
	frames, err := complete(v, frame)
	if err != nil {
		a.fail("%v", err)
		return
	}
	a.out += len(frames)
	for _, f := range frames {
		p, err := parse(f)
		if err != nil || to == session.A || p.flags&(packet.SYN|packet.RST) != 0 {
			continue
		}
		if p.flags&packet.URG != 0 || p.urgent != 0 {
			a.fail("urgent data arrives")
		}
		off := int(int32(p.seq-a.ends[0].isn)) - 1
		for i, b := range p.body {
			if off+i < a.read {
				continue // the server has it
			}
			for len(a.seen) <= off+i {
				a.seen = append(a.seen, 0)
			}
			if was := a.seen[off+i]; was != 0 && was != b {
				a.fail("byte %d arrives as %q and as %q", off+i, was, b)
			}
			a.seen[off+i] = b
		}
		a.fin = a.fin || p.flags&packet.FIN != 0
	}
}

func (a *attack) client(s *segment) {
	a.raw(session.A, s.frame(&a.ends[0].addr, &a.ends[1].addr, 0, 1))
}
func (a *attack) server(s *segment) {
	a.raw(session.B, s.frame(&a.ends[1].addr, &a.ends[0].addr, 0, 1))
}

func (a *attack) raw(from session.Side, f []byte) {
	a.now += ms
	a.engine.Handle(from, packet.VNet{}, f, a.now)
	a.engine.Tick(a.now)
}

// at is a segment of the client's with data at offset off of its stream.
func (a *attack) at(off int, data string) *segment {
	return &segment{seq: a.ends[0].isn + 1 + uint32(off), ack: a.ends[1].isn + 1, flags: packet.ACK, window: 65535, opts: stampOptions(20), body: []byte(data)}
}

// data sends it.
func (a *attack) data(off int, data string) { a.client(a.at(off, data)) }

func TestEvasions(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(a *attack)
		want string // what the server reads
	}{
		{"plain", func(a *attack) { a.data(0, "an EVIL line\n") }, "an GOOD! line\n"},
		{"overlap, harmless first", func(a *attack) {
			a.data(0, "an ____")
			a.data(3, "EVIL line\n")
		}, "an ____ line\n"},
		{"overlap, trigger first", func(a *attack) {
			a.data(0, "an EVIL")
			a.data(3, "____ line\n")
		}, "an GOOD! line\n"},
		{"overlap ahead of a gap, harmless first", func(a *attack) {
			a.data(3, "____ line\n")
			a.data(3, "EVIL line\n")
			a.data(0, "an ")
		}, "an ____ line\n"},
		{"overlap ahead of a gap, trigger first", func(a *attack) {
			a.data(5, "IL line\n")
			a.data(3, "EV__ line\n")
			a.data(0, "an ")
		}, "an EV__ line\n"},
		{"retransmission after the verdict", func(a *attack) {
			a.data(0, "an harm line\n")
			a.data(0, "an EVIL line\n")
			a.data(3, "EVIL")
		}, "an harm line\n"},
		{"overlap with what was sent, and new bytes", func(a *attack) {
			a.data(0, "one\n")
			a.data(0, "EVIL two\n")
		}, "one\n two\n"},
		{"bad checksum", func(a *attack) {
			f := a.at(0, "an ____ line\n").frame(&a.ends[0].addr, &a.ends[1].addr, 0, 1)
			f[len(f)-1] ^= 1
			a.raw(session.A, f)
			a.data(0, "an EVIL line\n")
		}, "an GOOD! line\n"},
		{"beyond the window", func(a *attack) {
			a.data(3<<20, "EVIL\n")
			a.data(-(3 << 20), "EVIL\n")
			a.data(0, "fine\n")
		}, "fine\n"},
		{"reset with a wrong sequence number", func(a *attack) {
			a.data(0, "an EV")
			s := a.at(500, "")
			s.flags = packet.RST
			a.client(s)
			a.data(5, "IL line\n")
		}, "an GOOD! line\n"},
		{"urgent pointer", func(a *attack) {
			s := a.at(0, "an EVIL line\n")
			s.flags |= packet.URG
			s.urgent = 5
			a.client(s)
		}, "an GOOD! line\n"},
		{"old timestamp", func(a *attack) {
			s := a.at(0, "an ____ line\n")
			s.opts = stampOptions(1) // the server discards it
			a.client(s)
			a.data(0, "an EVIL line\n")
		}, "an ____ line\n"},
		{"one byte at a time", func(a *attack) {
			for i, b := range []byte("an EVIL line\n") {
				a.data(i, string(b))
			}
		}, "an GOOD! line\n"},
		{"one byte at a time, backwards", func(a *attack) {
			line := "an EVIL line\n"
			for i := len(line) - 1; i >= 0; i-- {
				a.data(i, line[i:i+1])
			}
		}, "an GOOD! line\n"},
		{"FIN in the middle", func(a *attack) {
			a.data(0, "an EVIL line\n")
			s := a.at(0, "an EV")
			s.flags |= packet.FIN
			a.client(s)
		}, "an GOOD! line\n"},
		{"SYN with data in the session", func(a *attack) {
			s := a.at(0, "EVIL\n")
			s.flags = packet.SYN
			a.client(s)
			a.data(0, "fine\n")
		}, "fine\n"},
		{"without ACK", func(a *attack) {
			s := a.at(0, "EVIL\n")
			s.flags = packet.PSH
			a.client(s)
		}, "GOOD!\n"},
	} {
		for _, v6 := range []bool{false, true} {
			a := newAttack(t, v6)
			tt.do(a)
			if a.failure != "" || string(a.seen) != tt.want || a.fin {
				t.Errorf("%s (IPv6 %v): the server reads %q, FIN %v, %s; want %q", tt.name, v6, a.seen, a.fin, a.failure, tt.want)
			}
		}
	}
}

// TestDataInSYN has the client put the trigger into its SYN.
func TestDataInSYN(t *testing.T) {
	a := newAttack(t, false)
	a.ends[0].addr.port++ // another session
	a.client(&segment{seq: a.ends[0].isn, flags: packet.SYN, window: 65535, opts: synOptions, body: []byte("EVIL\n")})
	a.server(&segment{seq: a.ends[1].isn, ack: a.ends[0].isn + 1, flags: packet.SYN | packet.ACK, window: 65535, opts: synOptions})
	if len(a.seen) > 0 {
		t.Errorf("the server reads %q from a SYN; want nothing", a.seen)
	}
	a.data(0, "EVIL\n")
	if string(a.seen) != "GOOD!\n" || a.failure != "" {
		t.Errorf("the server reads %q, %s; want %q", a.seen, a.failure, "GOOD!\n")
	}
}

// TestFragments has the client cut a segment into IP fragments.
func TestFragments(t *testing.T) {
	for _, overlap := range []bool{false, true} {
		a := newAttack(t, false)
		f := a.at(0, "an EVIL line, long enough for three fragments\n").frame(&a.ends[0].addr, &a.ends[1].addr, 0, 77)
		g := a.at(0, "an ____ line, long enough for three fragments\n").frame(&a.ends[0].addr, &a.ends[1].addr, 0, 77)
		p, err := parse(f)
		if err != nil {
			t.Fatal(err)
		}
		if overlap {
			a.raw(session.A, ipv4Fragment(g, p.l4, 24, 48, true))
		}
		end := len(f) - p.l4
		a.raw(session.A, ipv4Fragment(f, p.l4, 32, end, false))
		a.raw(session.A, ipv4Fragment(f, p.l4, 0, 24, true))
		a.raw(session.A, ipv4Fragment(f, p.l4, 24, 32, true))
		want := "an GOOD! line, long enough for three fragments\n"
		if overlap {
			want = ""
		}
		if string(a.seen) != want || a.failure != "" {
			t.Errorf("overlap %v: the server reads %q, %s; want %q", overlap, a.seen, a.failure, want)
		}
	}
}

// ipv4Fragment is the part [from,to) of f's IP payload, which begins at l4.
func ipv4Fragment(f []byte, l4, from, to int, more bool) []byte {
	b := append([]byte(nil), f[:l4]...)
	b = append(b, f[l4+from:l4+to]...)
	ip := b[14:]
	ip[2], ip[3] = byte(len(ip)>>8), byte(len(ip))
	ip[6], ip[7] = byte(from/8>>8), byte(from/8)
	if more {
		ip[6] |= 0x20
	}
	ip[10], ip[11] = 0, 0
	c := ^sum16(0, ip[:20])
	ip[10], ip[11] = byte(c>>8), byte(c)
	return b
}
