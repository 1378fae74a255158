package port

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

func flow(client, server string) Flow {
	return Flow{Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server)}
}

// segment is a frame of a session between the bed's hosts with a right checksum.
func segment(v6, answer bool, flags uint8, seq, ack uint32, options, payload []byte) []byte {
	src, dst := uint16(5000), uint16(80)
	ends := [2][2]string{{netns.Client4, netns.Server4}, {netns.Client6, netns.Server6}}[map[bool]int{true: 1}[v6]]
	if answer {
		src, dst = dst, src
		slices.Reverse(ends[:])
	}
	h := binary.BigEndian.AppendUint32(u16(src, dst), seq)
	h = binary.BigEndian.AppendUint32(h, ack)
	h = append(h, byte(5+len(options)/4)<<4, flags)
	h = join(h, u16(1000, 0, 0), options, payload)
	b := join(toServer, ip4(6, ends[0], ends[1], 0, nil, h))
	if v6 {
		b = join(toServer, ip6(6, ends[0], ends[1], h))
	}
	f := parsed(b)
	f.PutPartialChecksum()
	var sum uint32
	for i := f.L4; i < f.End; i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < f.End {
			sum += uint32(b[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[f.L4+16:], ^uint16(sum))
	if !f.ValidChecksum() {
		panic("segment: wrong checksum")
	}
	return b
}

func parsed(b []byte) *packet.Frame {
	var f packet.Frame
	if err := f.Parse(b); err != nil {
		panic(err)
	}
	return &f
}

var (
	stamps = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	sack1  = []byte{1, 1, 5, 10, 0, 0, 16, 0, 0, 0, 32, 0}
	sack3  = []byte{1, 1, 5, 26, 0, 0, 16, 0, 0, 0, 32, 0, 0, 0, 48, 0, 0, 0, 64, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 8}
)

// carried are segments and what becomes of them under a lane that adds 137 to
// the sequence number and takes 5 off acknowledgements, up to 2000.
var carried = []struct {
	name         string
	flags        uint8
	seq          uint32
	options      []byte
	size         int
	passes       bool
	blocksAt, of int
}{
	{name: "pure acknowledgement", flags: packet.ACK, seq: 9000, passes: true},
	{name: "payload before the limit", flags: packet.ACK | packet.PSH, seq: 1000, size: 1000, passes: true},
	{name: "payload beyond the limit", flags: packet.ACK, seq: 1001, size: 1000},
	{name: "timestamps", flags: packet.ACK, seq: 1000, options: stamps, size: 7, passes: true},
	{name: "selective acknowledgement", flags: packet.ACK, seq: 1000, options: sack1, passes: true, blocksAt: 4, of: 1},
	{name: "three blocks behind timestamps", flags: packet.ACK, seq: 1000, options: slices.Concat(stamps, sack3), passes: true, blocksAt: 16, of: 3},
	{name: "blocks in front of timestamps", flags: packet.ACK, seq: 1000, options: slices.Concat(sack1, stamps)},
	{name: "FIN", flags: packet.ACK | packet.FIN, seq: 1000},
	{name: "RST", flags: packet.RST, seq: 1000},
	{name: "urgent", flags: packet.ACK | packet.URG, seq: 1000, size: 1},
	{name: "sequence number wraps", flags: packet.ACK, seq: 0xfffffff0, size: 8, passes: true},
}

func TestLaneCarries(t *testing.T) { eachWay(t, testLaneCarries) }

func testLaneCarries(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	defer alive(p)()
	client, server := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	for _, v6 := range []bool{false, true} {
		f := flow("10.77.0.1:5000", "10.77.0.2:80")
		if v6 {
			f = flow("[fd77::1]:5000", "[fd77::2]:80")
		}
		slot, err := p.NewSlot(f, FlowState{})
		if err != nil {
			t.Fatal(err)
		}
		lane := Lane{Pass: true, Bounded: true, Haste: true, Limit: 2000, Seq: 137, Ack: ^uint32(4)}
		slot.Set(FlowState{Lanes: [2]Lane{lane, {Pass: true, Haste: true, Seq: 5, Ack: ^uint32(136)}}})
		for _, c := range carried {
			t.Run(fmt.Sprintf("%s IPv6=%t", c.name, v6), func(t *testing.T) {
				in := segment(v6, false, c.flags, c.seq, 7000, c.options, make([]byte, c.size))
				want := segment(v6, false, c.flags, c.seq+137, 6995, shifted(c.options, c.blocksAt, c.of), make([]byte, c.size))
				if got := arrived(t, client, server, in, want); got != c.passes {
					t.Errorf("carried = %t; want %t", got, c.passes)
				}
			})
		}
		in, want := segment(v6, true, packet.ACK, 50, 1000, nil, []byte("x")), segment(v6, true, packet.ACK, 55, 863, nil, []byte("x"))
		if !arrived(t, server, client, in, want) {
			t.Errorf("IPv6=%t: an answer was not carried", v6)
		}
		if got := slot.Carried(); got != 7 {
			t.Errorf("IPv6=%t: Carried() = %d; want 7", v6, got)
		}
		slot.Set(FlowState{})
		if arrived(t, server, client, in, want) {
			t.Errorf("IPv6=%t: a lane that was closed still carries", v6)
		}
		if err := slot.Free(); err != nil {
			t.Fatal(err)
		}
	}
}

// shifted takes 5 off the n blocks at offset at of options.
func shifted(options []byte, at, n int) []byte {
	o := slices.Clone(options)
	for i := range 2 * n {
		b := o[at+4*i:]
		binary.BigEndian.PutUint32(b, binary.BigEndian.Uint32(b)-5)
	}
	return o
}

// arrived sends in and a marker and says whether want came before the marker.
func arrived(t *testing.T, from, to *netns.Capture, in, want []byte) bool {
	t.Helper()
	onOneCPU(t, func() {
		from.Send(t, in)
		from.Send(t, marker)
	})
	found := false
	for {
		f, ok := to.Next(t, patience)
		if !ok {
			t.Fatal("the unprotected marker did not pass")
		}
		if !f.Outgoing && slices.Equal(f.Data, marker) {
			return found
		}
		found = found || !f.Outgoing && slices.Equal(f.Data, want)
	}
}

// TestLaneWaitsForTheEngine: as long as a segment that came before may still be
// with the engine, those behind it go up too, so that none overtakes another.
func TestLaneWaitsForTheEngine(t *testing.T) { eachWay(t, testLaneWaitsForTheEngine) }

func testLaneWaitsForTheEngine(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	defer alive(p)()
	client, server := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	slot, err := p.NewSlot(flow("10.77.0.1:5000", "10.77.0.2:80"), FlowState{})
	if err != nil {
		t.Fatal(err)
	}
	in := segment(false, false, packet.ACK, 1000, 7000, nil, []byte("x"))
	if arrived(t, client, server, in, in) {
		t.Error("a segment was carried before the lane was open")
	}
	slot.Set(FlowState{Lanes: [2]Lane{{Pass: true}, {}}})
	if arrived(t, client, server, in, in) {
		t.Error("a segment overtook one that is with the engine")
	}
	mark := p.Handed()
	if arrived(t, client, server, in, in) {
		t.Error("a segment overtook one that is with the engine")
	}
	drained(p, mark)
	if arrived(t, client, server, in, in) {
		t.Error("a segment overtook one that went up after the mark")
	}
	drained(p, p.Handed())
	if !arrived(t, client, server, in, in) {
		t.Error("a segment was not carried though the engine had read all before it")
	}
}

// drained says that what went up before mark was read, until the program knows.
func drained(p *Port, mark uint64) {
	for p.Drained(mark); p.engine.v.drained != mark; {
		p.Drained(mark)
	}
}

func TestWithoutEngine(t *testing.T) { eachWay(t, testWithoutEngine) }

func testWithoutEngine(t *testing.T, attach string) {
	bed, p, pins := wired(t, attach, protected)
	client, server := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	f := flow("10.77.0.1:5000", "10.77.0.2:80")
	in := segment(false, false, packet.ACK|packet.FIN, 1000, 7000, stamps, []byte("bye"))
	want := segment(false, false, packet.ACK|packet.FIN, 1137, 6995, stamps, []byte("bye"))
	state := FlowState{Lanes: [2]Lane{{Seq: 137, Ack: ^uint32(4)}, {Seq: 5, Ack: ^uint32(136)}}}
	if _, err := p.NewSlot(f, state); err != nil {
		t.Fatal(err)
	}
	bed.Box.Must(t, p.Close)
	if got := crossed(t, client, server, in); got != 0 || arrived(t, client, server, in, want) {
		t.Error("a segment of an unsettled session passed without the engine")
	}
	if other := join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5001, 80))); crossed(t, client, server, other) != 1 {
		t.Error("a segment of another session did not pass")
	}

	p = open(t, bed, pins, protected)
	found, err := p.Flows()
	if err != nil || len(found) != 1 || found[0].Flow() != f || found[0].State() != state {
		t.Fatalf("Flows() after a restart = %v, %v; want the one of %v", found, err, f)
	}
	state.Settled = true
	found[0].Set(state)
	bed.Box.Must(t, p.Close)
	if !arrived(t, client, server, in, want) {
		t.Error("a segment of a settled session was not translated without the engine")
	}

	p = open(t, bed, pins, protected)
	if c, err := p.Counters(); err != nil || c[A].DroppedEdited != 2 {
		t.Errorf("Counters() = %+v, %v; want 2 dropped of unsettled sessions", c, err)
	}
	bed.Box.Must(t, p.Close)
	syn := segment(false, false, packet.SYN, 1, 0, nil, nil)
	if got := crossed(t, client, server, syn, in); got != 2 {
		t.Errorf("%d of 2 segments of a new session between the same ends passed as they were", got)
	}
	p = open(t, bed, pins, protected)
	if found, err := p.Flows(); err != nil || len(found) != 0 {
		t.Errorf("Flows() after a SYN = %v, %v; want none", found, err)
	}

	// The SYN has gone through an engine that is no more.
	slot, err := p.NewSlot(f, state)
	if err != nil {
		t.Fatal(err)
	}
	if stands, err := slot.Stands(); err != nil || !stands {
		t.Errorf("Stands() = %t, %v; want true", stands, err)
	}
	bed.Box.Must(t, p.Close)
	answer := segment(false, true, packet.SYN|packet.ACK, 1, 2, nil, nil)
	if got := crossed(t, server, client, answer); got != 1 {
		t.Error("the answer to a SYN did not pass as it was")
	}
	p = open(t, bed, pins, protected)
	slot.p = p
	if stands, err := slot.Stands(); err != nil || stands {
		t.Errorf("Stands() behind another session's SYN+ACK = %t, %v; want false", stands, err)
	}
}

func TestFlowKeyRoundTrip(t *testing.T) {
	tagged := flow("10.0.0.1:1", "10.0.0.2:65535")
	tagged.VLAN = 10<<12 | 20
	for _, f := range []Flow{flow("10.0.0.1:1", "10.0.0.2:65535"), flow("[2001:db8::1]:258", "[2001:db8::2]:80"), tagged} {
		if got := flowOf(flowKey(f)); got != f {
			t.Errorf("flowOf(flowKey(%v)) = %v; want the same", f, got)
		}
	}
}

func TestSlotsAreReused(t *testing.T) {
	_, p, _ := wired(t, "tcx", protected)
	free := len(p.slots.free)
	for i := range 3 {
		s, err := p.NewSlot(flow("10.0.0.1:1", fmt.Sprintf("10.0.0.2:%d", i+1)), FlowState{})
		if err != nil {
			t.Fatal(err)
		}
		s.Set(FlowState{Settled: true, Lanes: [2]Lane{{Pass: true}, {}}})
		if err := s.Free(); err != nil {
			t.Fatal(err)
		}
		if s.State() != (FlowState{}) || len(p.slots.free) != free {
			t.Errorf("a freed slot still says %v, %d of %d are free", s.State(), len(p.slots.free), free)
		}
	}
}
