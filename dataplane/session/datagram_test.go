package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/packet"
)

// wires keeps what leaves, by port.
type wires [2][][]byte

func (w *wires) Send(to Side, _ packet.VNet, frame []byte) {
	w[to] = append(w[to], slices.Clone(frame))
}

func (w *wires) take(to Side) [][]byte {
	out := w[to]
	w[to] = nil
	return out
}

// script is a DatagramInspector that does what the payload asks for.
type script struct{ seen int }

func (s *script) Datagram(dir Direction, p []byte) DatagramVerdict {
	s.seen++
	text := string(p)
	switch word, rest, _ := strings.Cut(text, " "); word {
	case "drop":
		return DatagramVerdict{Drop: true, Evidence: []Evidence{{Definition: "d", Action: "drop"}}}
	case "reply":
		return DatagramVerdict{Drop: true, Reply: []byte(rest)}
	case "long":
		return DatagramVerdict{Drop: true, Reply: bytes.Repeat([]byte{'r'}, 3*len(p)+97)}
	case "grow":
		n := 0
		fmt.Sscan(rest, &n)
		return DatagramVerdict{Edits: []Edit{{0, 4, bytes.Repeat([]byte{'g'}, n)}}}
	case "bad":
		return DatagramVerdict{Undecodable: "bad word"}
	case "wrong":
		return DatagramVerdict{Edits: []Edit{{3, 2, nil}}}
	case "panic":
		panic("word")
	case "pass":
		return DatagramVerdict{Rest: PassRest}
	case "block":
		return DatagramVerdict{Drop: true, Rest: BlockRest}
	case "seen":
		return DatagramVerdict{Edits: []Edit{{0, 4, fmt.Append(nil, s.seen)}}}
	}
	return DatagramVerdict{}
}

// talk is an engine with one UDP service, and datagrams to try it.
type talk struct {
	*Engine
	out    wires
	events []Event
	v6     bool
	mtu    int
}

func newTalk(v6 bool, exceed Policy) *talk {
	k := &talk{v6: v6, mtu: 1500}
	svc := &Service{Name: "s", Transport: UDP, Address: netip.MustParsePrefix("10.0.0.2/32"), Port: 53, Exceed: exceed,
		NewDatagram: func(Conn) DatagramInspector { return &script{} }}
	if v6 {
		svc.Address = netip.MustParsePrefix("fd00::2/128")
	}
	k.Engine = NewEngine(Config{Output: &k.out, Services: []*Service{svc}, MTU: func(Side) int { return k.mtu },
		Event: func(e Event) { k.events = append(k.events, e) }})
	return k
}

// frame is a datagram of client number n, to the server or back.
func (k *talk) frame(n int, dir Direction, payload string) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	src, dst := netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), netip.MustParseAddr("10.0.0.2")
	if k.v6 {
		a := netip.MustParseAddr("fd00::1:0").As16()
		a[14], a[15] = byte(n>>8), byte(n)
		src, dst = netip.AddrFrom16(a), netip.MustParseAddr("fd00::2")
	}
	ports := []byte{0x13, 0x88, 0, 53}
	if dir == ToClient {
		b = []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
		src, dst, ports = dst, src, []byte{0, 53, 0x13, 0x88}
	}
	f := packet.Frame{V6: k.v6, L3: 14}
	if k.v6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 17, 9)
	} else {
		b = append(b, 8, 0, 0x45, 0, 0, 0, 0, 7, 0x40, 0, 9, 17, 0, 0)
	}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	f.L4 = len(b)
	b = append(append(b, ports...), 0, 0, 0, 0)
	f.Data = append(b, payload...)
	f.Payload, f.End = len(b), len(f.Data)
	f.PutUDPLength()
	return f.Data
}

func (k *talk) send(n int, dir Direction, payload string) {
	k.Handle(Side(dir), packet.VNet{}, k.frame(n, dir, payload), 1)
}

// bodies are the payloads of frames, which must be datagrams with right checksums.
func bodies(t *testing.T, frames [][]byte) []string {
	t.Helper()
	var out []string
	var r packet.Reassembler
	for _, b := range frames {
		var f packet.Frame
		err := f.Parse(b)
		if errors.Is(err, packet.ErrFragment) {
			if b, _ = r.Add(&f, 1); b == nil {
				continue
			}
			err = f.Parse(b)
		}
		if !errors.Is(err, packet.ErrUDP) || !f.ValidUDPChecksum() || f.Surplus != 0 {
			t.Fatalf("a frame that left: %v, %x", err, b)
		}
		out = append(out, string(f.Body()))
	}
	return out
}

func TestDatagramVerdicts(t *testing.T) {
	for _, tt := range []struct {
		payload      string
		exceed       Policy
		server, back []string
	}{
		{"hello", PolicyReset, []string{"hello"}, nil},
		{"", PolicyReset, []string{""}, nil},
		{"drop", PolicyReset, nil, nil},
		{"reply no", PolicyReset, nil, []string{"no"}},
		{"long", PolicyReset, nil, nil},
		{"grow 9", PolicyReset, []string{"ggggggggg 9"}, nil},
		{"grow 0", PolicyReset, []string{" 0"}, nil},
		{"grow 4000", PolicyReset, []string{strings.Repeat("g", 4000) + " 4000"}, nil},
		{"grow 66000", PolicyPass, nil, nil},
		{"bad", PolicyReset, nil, nil},
		{"bad", PolicyPass, []string{"bad"}, nil},
		{"wrong", PolicyReset, nil, nil},
		{"panic", PolicyReset, nil, nil},
		{"panic", PolicyPass, []string{"panic"}, nil},
	} {
		for _, v6 := range []bool{false, true} {
			k := newTalk(v6, tt.exceed)
			k.send(1, ToServer, tt.payload)
			if got := bodies(t, k.out.take(B)); !slices.Equal(got, tt.server) {
				t.Errorf("%q, IPv6 %v: the server got %.60q; want %.60q", tt.payload, v6, got, tt.server)
			}
			if got := bodies(t, k.out.take(A)); !slices.Equal(got, tt.back) {
				t.Errorf("%q, IPv6 %v: the client got %.60q; want %.60q", tt.payload, v6, got, tt.back)
			}
			k.send(1, ToServer, "next")
			k.send(1, ToClient, "answer")
			if got := append(bodies(t, k.out.take(B)), bodies(t, k.out.take(A))...); !slices.Equal(got, []string{"next", "answer"}) {
				t.Errorf("after %q: %q passed; want the next datagram and its answer", tt.payload, got)
			}
		}
	}
}

// TestDatagramsPassBitForBit has frames with all that could be lost on the way.
func TestDatagramsPassBitForBit(t *testing.T) {
	k := newTalk(false, PolicyReset)
	padded := append(k.frame(1, ToServer, "x"), 1, 2, 3)
	unsummed := k.frame(1, ToServer, "x")
	unsummed[40], unsummed[41] = 0, 0
	stranger := k.frame(1, ToServer, "drop")
	stranger[37] = 54 // another port; the checksum is not ours to judge
	for i, b := range [][]byte{padded, unsummed, stranger} {
		k.Handle(A, packet.VNet{}, slices.Clone(b), 1)
		if got := k.out.take(B); len(got) != 1 || !bytes.Equal(got[0], b) {
			t.Errorf("frame %d: %x left; want it as it came, %x", i, got, b)
		}
	}
	wrong := k.frame(1, ToServer, "x")
	wrong[42]++
	k.Handle(A, packet.VNet{}, wrong, 1)
	merged := k.frame(1, ToServer, "x")
	k.Handle(A, packet.VNet{GSOType: packet.GSOUDP}, merged, 1)
	surplus := append(k.frame(1, ToServer, "x"), "y"...)
	surplus[17]++
	k.Handle(A, packet.VNet{}, surplus, 1)
	if got := bodies(t, k.out.take(B)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("wrong checksum, merged, surplus: %q passed; want only the last, without its surplus", got)
	}
	if s := k.Stats(); s.BadChecksum != 1 || s.Malformed != 1 {
		t.Errorf("stats = %+v; want one bad checksum, one malformed", s)
	}
}

// TestDatagramFragments cuts datagrams before they reach the engine.
func TestDatagramFragments(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		k := newTalk(v6, PolicyReset)
		for _, payload := range []string{strings.Repeat("tall tale ", 300), "drop " + strings.Repeat("x", 3000), "grow 2000" + strings.Repeat(" ", 3000)} {
			var f packet.Frame
			f.Parse(k.frame(1, ToServer, payload))
			var parts [][]byte
			f.Fragments(1280, 5, nil, func(b []byte) { parts = append(parts, slices.Clone(b)) })
			slices.Reverse(parts)
			for _, p := range parts {
				k.Handle(A, packet.VNet{}, slices.Clone(p), 1)
			}
			out := k.out.take(B)
			switch payload[:4] {
			case "tall":
				if !slices.EqualFunc(out, parts, bytes.Equal) {
					t.Errorf("IPv6 %v: %d frames left; want the %d fragments as they came", v6, len(out), len(parts))
				}
			case "drop":
				if len(out) != 0 {
					t.Errorf("IPv6 %v: %d frames of a dropped datagram left", v6, len(out))
				}
			default:
				got := bodies(t, out)
				if want := strings.Repeat("g", 2000) + payload[4:]; len(got) != 1 || got[0] != want {
					t.Errorf("IPv6 %v: the grown datagram is %.40q", v6, got)
				}
				for _, p := range out {
					if len(p) > 14+1280 {
						t.Errorf("IPv6 %v: a fragment has %d bytes of packet; want no more than the longest that came, 1280", v6, len(p)-14)
					}
				}
			}
		}
	}
}

func TestReplyKeepsToItsBounds(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		k := newTalk(v6, PolicyReset)
		group := k.frame(1, ToServer, "reply no")
		group[0] |= 1
		k.Handle(A, packet.VNet{}, group, 1)
		zero := k.frame(1, ToServer, "reply no")
		var f packet.Frame
		f.Parse(zero)
		binary.BigEndian.PutUint16(zero[f.L4:], 0)
		f.PutUDPLength()
		k.Handle(A, packet.VNet{}, zero, 1)
		k.send(1, ToServer, "long")
		if got := k.out.take(A); len(got) != 0 || k.Stats().Unanswered != 3 {
			t.Errorf("IPv6 %v: %d replies to a group, to port 0 and too long ones, %d counted; want 0, 3", v6, len(got), k.Stats().Unanswered)
		}
		k.send(1, ToServer, "reply no")
		var r packet.Frame
		if b := k.out.take(A); len(b) != 1 || r.Parse(b[0]) != packet.ErrUDP {
			t.Fatalf("IPv6 %v: %d replies; want 1", v6, len(b))
		}
		var q packet.Frame
		q.Parse(k.frame(1, ToServer, ""))
		if r.Src != q.Dst || r.Dst != q.Src || r.SrcPort != 53 || r.DstPort != 5000 || !bytes.Equal(r.Data[:6], q.Data[6:12]) {
			t.Errorf("IPv6 %v: reply = %+v; want the ends swapped", v6, r)
		}
	}
}

func TestFlowsAreBounded(t *testing.T) {
	k := newTalk(false, PolicyReset)
	k.cfg.Limits.Flows = 100
	k.send(1, ToServer, "hello")
	k.send(1, ToClient, "hello")
	k.send(2, ToServer, "block")
	for n := range 1000 {
		k.send(1000+n, ToServer, "seen")
	}
	if s := k.Stats(); s.Flows > 100 {
		t.Errorf("%d flows; want at most 100", s.Flows)
	}
	k.out.take(B)
	k.send(1, ToServer, "seen")
	if got := bodies(t, k.out.take(B)); !slices.Equal(got, []string{"3"}) {
		t.Errorf("the answered flow has seen %q datagrams after a flood; want 3", got)
	}
	k.Tick(1 + int64(unansweredFor))
	if s := k.Stats(); s.Flows != 1 || s.PerService["s"] != 1 {
		t.Errorf("%d flows (%v) after %v; want the answered one", s.Flows, s.PerService, unansweredFor)
	}
	k.Tick(1 + int64(answeredFor))
	if s := k.Stats(); s.Flows != 0 || len(s.PerService) != 0 || s.Total != 1002 {
		t.Errorf("stats = %+v; want no flow of 1002", s)
	}
}

func TestRestOfAFlow(t *testing.T) {
	k := newTalk(false, PolicyReset)
	k.send(1, ToServer, "pass")
	k.send(1, ToServer, "drop")
	k.send(2, ToServer, "block")
	k.send(2, ToClient, "hello")
	if got := bodies(t, append(k.out.take(B), k.out.take(A)...)); !slices.Equal(got, []string{"pass", "drop"}) {
		t.Errorf("%q left; want pass and, unseen, drop", got)
	}
	k.SetServices(k.cfg.Services)
	k.send(1, ToServer, "drop")
	k.send(2, ToServer, "hello")
	if got := bodies(t, k.out.take(B)); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("after a reload %q left; want hello: flows go on under what is new", got)
	}
	k.SetServices(nil)
	if s := k.Stats(); s.Flows != 0 {
		t.Errorf("%d flows of a service that is gone; want none", s.Flows)
	}
}

// TestUndecodableIsToldOnce: a flood of datagrams that cannot be read does not
// become a flood of events.
func TestUndecodableIsToldOnce(t *testing.T) {
	k := newTalk(false, PolicyReset)
	for range 10 {
		k.send(1, ToServer, "panic")
	}
	if len(k.events) != 1 || k.events[0].Kind != DatagramDropped || !strings.Contains(k.events[0].Reason, "word") {
		t.Errorf("events = %+v; want one", k.events)
	}
	if s := k.Stats(); s.Dropped != 10 {
		t.Errorf("%d dropped; want 10", s.Dropped)
	}
}

// TestFloodIsToldInPart: corrections of datagrams are all counted, and told as far
// as somebody could read them.
func TestFloodIsToldInPart(t *testing.T) {
	k := newTalk(false, PolicyReset)
	for n := range 5000 {
		k.send(n, ToServer, "drop")
	}
	told, quiet := 0, 0
	for _, e := range k.events {
		if !e.Evidence.Datagram || e.Evidence.ToClient {
			t.Fatalf("evidence = %+v; want it of a datagram to the server", e.Evidence)
		}
		if e.Quiet {
			quiet++
		} else {
			told++
		}
	}
	if told != tellAtOnce || told+quiet != 5000 || k.Stats().Untold != uint64(quiet) {
		t.Errorf("%d events told, %d quiet, %d counted; want %d told of 5000", told, quiet, k.Stats().Untold, tellAtOnce)
	}
	k.events = nil
	k.Handle(A, packet.VNet{}, k.frame(1, ToServer, "drop"), 1+tellEvery)
	k.Handle(A, packet.VNet{}, k.frame(1, ToServer, "drop"), 1+tellEvery)
	if len(k.events) != 2 || k.events[0].Quiet || !k.events[1].Quiet {
		t.Errorf("after %v: %+v; want one more told", tellEvery, k.events)
	}
}

func FuzzDatagram(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		k := newTalk(v6, PolicyReset)
		f.Add(k.frame(1, ToServer, "grow 3000"), v6)
		f.Add(k.frame(1, ToServer, "reply no"), v6)
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		k := newTalk(v6, PolicyReset)
		k.mtu = 600
		k.Handle(A, packet.VNet{}, b, 1)
		k.Handle(B, packet.VNet{}, b, 2)
		k.Tick(1 + int64(answeredFor))
	})
}
