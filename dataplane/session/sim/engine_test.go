package sim

import (
	"encoding/binary"
	"testing"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// FuzzEngine has bytes decide which segments both ends send, in any order and
// with any content: the engine must not panic, must send frames with right
// checksums only, and must forget all in the end.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("\x10\x01\x00\x05hello\x90\x01\x00\x00\x11\x06\x00\x00\x10\x06\x00\x03EVIL\n"))
	f.Add([]byte("\x90\x01\x00\x10\x10\x10\x00\x20\x10\x01\x00\x30\x04\x01\x00\x00\x90\x11\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := newAttack(t, len(b)%2 == 1)
		a.engine.SetServices(a.engineServices(b))
		for len(b) >= 4 {
			flags, off, n := b[0]&0x7f&^packet.CWR, int16(binary.BigEndian.Uint16(b[1:])), int(b[3])
			side := b[0] >> 7
			b = b[4:]
			n = min(n, len(b))
			s := a.at(int(off)%3000, string(b[:n]))
			if n%3 == 0 {
				s.ack += uint32(off) / 16
			}
			if n%5 == 1 {
				s.window = uint16(off)
			}
			s.flags = flags
			b = b[n:]
			if side == 0 {
				a.client(s)
				continue
			}
			s.seq, s.ack = a.ends[1].isn+1+uint32(int(off)%3000), a.ends[0].isn+1+uint32(n)
			if s.flags&packet.ACK != 0 && n <= len(a.seen) {
				a.read = max(a.read, n)
			}
			a.server(s)
			if a.failure != "" {
				t.Fatal(a.failure)
			}
			a.now += int64(n) * 10 * ms
		}
		a.settle(t)
	})
}

// engineServices lets one byte of the input choose the limits' policy.
func (a *attack) engineServices(b []byte) []*session.Service {
	svc := *a.service
	svc.New = func(session.Conn, bool) session.Inspector { return corrector{} }
	if len(b) > 0 {
		svc.Exceed = session.Policy(b[0] & 1)
	}
	return []*session.Service{&svc}
}

// settle lets time pass until the engine has forgotten all.
func (a *attack) settle(t *testing.T) {
	t.Helper()
	for end := a.now + 9000_000*ms; a.now < end && a.engine.Stats().Open > 0; {
		a.now = max(a.engine.Tick(a.now), a.now+1)
	}
	if st := a.engine.Stats(); st.Open != 0 || st.Held != 0 {
		t.Fatalf("%d sessions and %d bytes are kept; want none", st.Open, st.Held)
	}
}

// sink takes frames and forgets them.
type sink struct{}

func (sink) Send(session.Side, packet.VNet, []byte) {}

// keepAlive is a session in which all is released at once: each call of step is
// a request and an answer, four frames.
func keepAlive() (e *session.Engine, step func()) {
	c := Config{Seed: 1}
	for i := range c.Ends {
		c.Ends[i] = End{MSS: 1460, Scale: 7, Buffer: 65535, ISN: 1, Bytes: 1}
	}
	r := newRun(c, false)
	svc := *r.service
	svc.New = func(session.Conn, bool) session.Inspector { return idle{} }
	e = session.NewEngine(session.Config{Output: sink{}, Services: []*session.Service{&svc}})
	now := int64(1)
	send := func(from int, s *segment) []byte { return s.frame(&r.ends[from].addr, &r.ends[1-from].addr, 0, 1) }
	e.Handle(session.A, packet.VNet{}, send(0, &segment{seq: 1, flags: packet.SYN, window: 65535, opts: synOptions}), now)
	e.Handle(session.B, packet.VNet{}, send(1, &segment{seq: 1, ack: 2, flags: packet.SYN | packet.ACK, window: 65535, opts: synOptions}), now)
	frames := [4][]byte{
		send(0, &segment{flags: packet.ACK | packet.PSH, window: 1000, opts: stampOptions(11), body: make([]byte, 300)}),
		send(1, &segment{flags: packet.ACK, window: 1000, opts: stampOptions(11)}),
		send(1, &segment{flags: packet.ACK | packet.PSH, window: 1000, opts: stampOptions(11), body: make([]byte, 1400)}),
		send(0, &segment{flags: packet.ACK, window: 1000, opts: stampOptions(11)}),
	}
	const l4 = 34
	seq := [2]uint32{2, 2}
	v := packet.VNet{Flags: packet.VNetDataValid}
	return e, func() {
		for i, side := range [4]int{0, 1, 1, 0} {
			f := frames[i]
			binary.BigEndian.PutUint32(f[l4+4:], seq[side])
			binary.BigEndian.PutUint32(f[l4+8:], seq[1-side])
			seq[side] += uint32(len(f) - l4 - 32)
			now += 1000
			e.Handle(session.Side(side), v, f, now)
		}
	}
}

func BenchmarkKeepAlive(b *testing.B) {
	e, step := keepAlive()
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	if st := e.Stats(); st.Open != 1 || st.Held != 0 || st.Refused+st.Malformed+st.BadChecksum+st.PickedUp+st.Reset != 0 {
		b.Errorf("Stats() = %+v", st)
	}
}

// TestNoAllocation: a session's steady path costs the collector nothing.
func TestNoAllocation(t *testing.T) {
	e, step := keepAlive()
	step() // makes room once
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("a request and an answer allocate %v times; want never", n)
	}
	if st := e.Stats(); st.Open != 1 || st.Held != 0 || st.Refused+st.Malformed+st.BadChecksum+st.PickedUp+st.Reset != 0 {
		t.Errorf("Stats() = %+v", st)
	}
}
