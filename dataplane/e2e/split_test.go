package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

const splitSettings = `
[service four]
address = 10.77.0.88
port = 80
[service six]
address = fd77::88
port = 80
`

// splitHandshakes are the ways in which a server can bring a client to open the
// session towards it (the split handshake): what it answers a SYN with. The
// client's stack, which takes the server's SYN for one that crossed its own,
// answers with a SYN and an acknowledgement, which the server then acknowledges.
var splitHandshakes = []struct {
	name   string
	answer func(r *rawServer)
}{
	{"acknowledgement, then SYN", func(r *rawServer) { r.send(tcpACK, ""); r.send(tcpSYN, "") }},
	{"SYN alone", func(r *rawServer) { r.send(tcpSYN, "") }},
	{"SYN twice", func(r *rawServer) { r.send(tcpSYN, ""); r.send(tcpSYN, "") }},
	{"acknowledgement of something else, then SYN", func(r *rawServer) {
		r.got += 77
		r.send(tcpACK, "")
		r.got -= 77
		r.send(tcpSYN, "")
	}},
}

// TestSplitHandshake has a real client meet a server that splits its handshake,
// and send it a trigger, then what is harmless.
func TestSplitHandshake(t *testing.T) { eachWay(t, testSplitHandshake) }

func testSplitHandshake(t *testing.T, attach string) {
	b := newBoxWith(t, attach, splitSettings, "testdata/definitions")
	neighbours(t, b.Client, "c0", netns.ServerMAC, "10.77.0.88", "fd77::88")
	edited := uint64(0)
	for _, v := range splitHandshakes {
		for _, address := range []string{"10.77.0.88", "fd77::88"} {
			t.Run(v.name+"/"+address, func(t *testing.T) {
				r := &rawServer{t: t, wire: netns.NewCapture(t, b.Server, "s0"), address: netip.MustParseAddr(address), answer: v.answer, isn: 0xfffffff0}
				r.serve(t)
				c := dial(t, b.Client, net.JoinHostPort(address, "80"))
				for _, request := range []string{evilRequest, harmlessRequest, evilRequest} {
					if _, err := c.Write([]byte(request)); err != nil {
						t.Fatal(err)
					}
					expect(t, c.Conn, splitAnswer)
				}
				if got, want := r.read(), goodRequest+harmlessRequest+goodRequest; got != want {
					t.Errorf("the server has read %q; want %q", got, want)
				}
				edited++
				if s := b.status(t).Sessions; s.Edited != edited || s.PickedUp+s.Reset+s.Passed != 0 {
					t.Errorf("sessions = %+v; want %d edited, each seen from its beginning", s, edited)
				}
			})
		}
	}
}

const splitAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// rawServer serves one session at an address that no stack of the bed has. It
// acknowledges what comes in order, and answers each request's end.
type rawServer struct {
	t       *testing.T
	wire    *netns.Capture
	address netip.Addr
	answer  func(*rawServer) // to a SYN

	isn, next uint32 // of its own
	got       uint32 // the next number it expects
	open      bool
	link      []byte // header of frames to the client
	client    netip.AddrPort

	mu     sync.Mutex
	stream []byte
}

func (r *rawServer) read() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.stream)
}

// serve answers until the test ends.
func (r *rawServer) serve(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if f, ok := r.wire.Next(t, 20*time.Millisecond); ok && !f.Outgoing {
				r.handle(f.Data)
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func (r *rawServer) handle(data []byte) {
	var f packet.Frame
	if f.Parse(data) != nil || netip.AddrFrom16(f.Dst).Unmap() != r.address || f.DstPort != 80 || f.Flags&packet.RST != 0 {
		return
	}
	if f.Flags&packet.SYN != 0 && !r.open {
		r.client = netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort)
		r.link = slices.Concat(data[6:12], data[:6], data[12:14])
		r.got = f.Seq() + 1
	}
	switch {
	case f.Flags&(packet.SYN|packet.ACK) == packet.SYN:
		r.next = r.isn
		r.answer(r)
	case f.Flags&packet.ACK == 0 || f.Ack()-r.isn > 1<<20: // not of this session
	case f.Flags&packet.SYN != 0:
		r.next = r.isn + 1
		r.open = true
		r.send(tcpACK, "")
	case r.open:
		r.take(&f)
	}
}

// take takes the payload of a segment.
func (r *rawServer) take(f *packet.Frame) {
	body := f.Body()
	if f.Flags&packet.FIN != 0 {
		body = append(slices.Clip(body), 0) // has a number as well
	}
	if len(body) == 0 {
		return
	}
	if f.Seq() != r.got {
		r.send(tcpACK, "")
		return
	}
	r.got += uint32(len(body))
	r.mu.Lock()
	r.stream = append(r.stream, f.Body()...)
	whole := string(r.stream)
	r.mu.Unlock()
	if len(f.Body()) > 0 && whole[len(whole)-4:] == "\r\n\r\n" {
		r.send(tcpACK|tcpPSH, splitAnswer)
		r.next += uint32(len(splitAnswer))
		return
	}
	r.send(tcpACK, "")
}

// send sends a segment; a SYN has the beginning's number and usual options.
func (r *rawServer) send(flags byte, data string) {
	seq, ack := r.next, r.got
	var options []byte
	if flags&tcpSYN != 0 {
		seq, options = r.isn, []byte{2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1}
	}
	if flags&tcpACK == 0 {
		ack = 0
	}
	h := binary.BigEndian.AppendUint16(nil, 80)
	h = binary.BigEndian.AppendUint16(h, r.client.Port())
	h = binary.BigEndian.AppendUint32(h, seq)
	h = binary.BigEndian.AppendUint32(h, ack)
	h = append(h, byte(20+len(options))/4<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	h = append(append(h, options...), data...)
	src, dst := r.address.AsSlice(), r.client.Addr().AsSlice()
	binary.BigEndian.PutUint16(h[16:], ^onesSum(slices.Concat(src, dst, []byte{0, 6, byte(len(h) >> 8), byte(len(h))}, h)))
	ip := slices.Concat([]byte{0x60, 0, 0, 0}, binary.BigEndian.AppendUint16(nil, uint16(len(h))), []byte{6, 64}, src, dst)
	if r.address.Is4() {
		ip = slices.Concat([]byte{0x45, 0}, binary.BigEndian.AppendUint16(nil, uint16(20+len(h))), []byte{0, 0, 0, 0, 64, 6, 0, 0}, src, dst)
		binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
	}
	if err := r.wire.TrySend(slices.Concat(r.link, ip, h)); err != nil {
		r.t.Errorf("the server cannot send: %v", err)
	}
}

// neighbours tells a namespace whose frames addresses are to be sent in.
func neighbours(t *testing.T, n *netns.NS, name, mac string, addresses ...string) {
	t.Helper()
	n.Must(t, func() error {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			return err
		}
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			err = errors.Join(err, netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(a), HardwareAddr: hw}))
		}
		return err
	})
}
