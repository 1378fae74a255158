package port

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"wirepatch/dataplane/internal/netns"
)

// judge runs the program on frames that no wire has seen (BPF_PROG_TEST_RUN),
// with maps of its own, and tells what it did with each.
type judge struct {
	*Port
	t    testing.TB
	dead bool // the engine's heart does not beat
	// gso is the payload of each packet that frames will be on a wire; 0: they are
	// as on one.
	gso uint32
}

// buffer is the part of struct __sk_buff that a test run takes.
type buffer struct {
	_       [164]byte
	GSOSegs uint32
	_       [8]byte
	GSOSize uint32
	_       [12]byte
}

// fate is what became of a frame.
type fate int

const (
	lost fate = iota
	up
	on
)

func (f fate) String() string { return [...]string{"lost", "up", "on"}[f] }

// loopback is the interface that test runs happen on.
const loopback = 1

func newJudge(t testing.TB) *judge {
	t.Helper()
	spec, err := loadWire()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinNone
	}
	j := &judge{Port: &Port{wake: -1}, t: t}
	if err := spec.LoadAndAssign(&j.objs, nil); err != nil {
		t.Fatal(err)
	}
	if j.engine, err = mapEngineState(j.objs.WpEngine.FD()); err != nil {
		t.Fatal(err)
	}
	if j.vetting, err = mapVetting(j.objs.WpVetting, j.objs.WpNeedles); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.engine.close(); j.vetting.close(); j.objs.Close() })
	err = j.SetServices([]Service{{Address: netip.MustParsePrefix("10.77.0.2/32"), Port: 80, Follow: true, HTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// show has a frame come in on side s.
func (j *judge) show(s Side, frame []byte) fate {

	for i := range uint32(2) {
		e := wirePortsEntry{Ifindex: 1000, Peer: loopback, Tap: loopback, Side: i}
		if i == uint32(s) {
			e.Ifindex = loopback
		}
		if err := j.objs.WpPorts.Put(i, e); err != nil {
			j.t.Fatal(err)
		}
	}
	before, err := j.Counters()
	if err != nil {
		j.t.Fatal(err)
	}
	if j.engine.beat(); j.dead {
		j.engine.stop()
	}
	run := ebpf.RunOptions{Data: frame}
	if j.gso > 0 {
		run.Context = buffer{GSOSegs: (uint32(len(frame)) + j.gso - 1) / j.gso, GSOSize: j.gso}
	}
	if _, err := j.objs.Wire.Run(&run); err != nil {
		j.t.Fatal(err)
	}
	after, err := j.Counters()
	if err != nil {
		j.t.Fatal(err)
	}
	switch {
	case after[s].HandedUp > before[s].HandedUp:
		return up
	case after[s].Forwarded > before[s].Forwarded:
		return on
	}
	return lost
}

// run has a frame come in n times and returns how long each took the program.
func (j *judge) run(s Side, frame []byte, n int) (time.Duration, error) {
	for i := range uint32(2) {
		e := wirePortsEntry{Ifindex: 1000, Peer: loopback, Tap: loopback, Side: i}
		if i == uint32(s) {
			e.Ifindex = loopback
		}
		if err := j.objs.WpPorts.Put(i, e); err != nil {
			return 0, err
		}
	}
	_, d, err := j.objs.Wire.Benchmark(frame, n, func() {})
	return d, err
}

// patch sets the TCP checksum of an IPv4 frame anew.
func (j *judge) patch(frame []byte) {
	seg := frame[34:]
	copy(seg[16:], []byte{0, 0})
	a, b := netip.AddrFrom4([4]byte(frame[26:30])), netip.AddrFrom4([4]byte(frame[30:34]))
	binary.BigEndian.PutUint16(seg[16:], ^checksum(a.String(), b.String(), seg))
}

// talk is a session between a client behind A and the server behind B.
type talk struct {
	*judge
	client uint16 // port
	seq    [2]uint32
}

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
	flagURG = 0x20
)

// piece is a segment of a talk.
type piece struct {
	from     Side // the sender
	flags    byte
	seq, ack uint32
	payload  string
	options  []byte
	in       Side   // the port it comes in on
	spoil    uint16 // added to the checksum
}

func (k *talk) frame(p piece) []byte {
	src, dst, sp, dp := netns.Client4, netns.Server4, k.client, uint16(80)
	if p.from == B {
		src, dst, sp, dp = dst, src, dp, sp
	}
	h := join(u16(sp, dp), binary.BigEndian.AppendUint32(nil, p.seq), binary.BigEndian.AppendUint32(nil, p.ack),
		[]byte{byte(5+len(p.options)/4) << 4, p.flags}, u16(1000, 0, 0), p.options)
	seg := join(h, []byte(p.payload))
	binary.BigEndian.PutUint16(seg[16:], ^checksum(src, dst, seg)+p.spoil)
	return join(toServer, ip4(6, src, dst, 0, nil, seg))
}

// checksum adds a segment up with its pseudo-header.
func checksum(src, dst string, seg []byte) uint16 {
	b := join(netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), u16(6, uint16(len(seg))), seg, make([]byte, len(seg)%2))
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func (k *talk) send(p piece) fate {

	return k.show(p.in, k.frame(p))
}

// say sends the next bytes of one end, and counts them if they went on.
func (k *talk) say(from Side, payload string) fate {

	f := k.send(piece{from: from, in: from, flags: flagACK, seq: k.seq[from], ack: k.seq[1-from], payload: payload})
	if f == on {
		k.seq[from] += uint32(len(payload))
	}
	return f
}

// open has the two ends shake hands, which is to go on below.
func (j *judge) open(client uint16) *talk {

	k := &talk{judge: j, client: client, seq: [2]uint32{0xffffff00, 77}}
	syn := piece{from: A, in: A, flags: flagSYN, seq: k.seq[A], options: []byte{2, 4, 5, 180, 1, 3, 3, 7}}
	synack := piece{from: B, in: B, flags: flagSYN | flagACK, seq: k.seq[B], ack: k.seq[A] + 1, options: []byte{2, 4, 5, 180, 1, 3, 3, 9}}
	k.seq[A]++
	k.seq[B]++
	for _, p := range []piece{syn, synack, {from: A, in: A, flags: flagACK, seq: k.seq[A], ack: k.seq[B]}} {
		if got := k.send(p); got != on {
			j.t.Fatalf("handshake segment %+v went %s; want on", p, got)
		}
	}
	return k
}

// end forgets the session.
func (k *talk) end() {
	if err := k.Forget(k.flow()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *talk) flow() Flow {
	return Flow{Client: netip.AddrPortFrom(netip.MustParseAddr(netns.Client4), k.client), Server: netip.AddrPortFrom(netip.MustParseAddr(netns.Server4), 80)}
}
