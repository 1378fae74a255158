package e2e

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// ethernet is the header of a frame from the client to the server.
var ethernet = []byte{2, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0xc0}

func ipv6(next byte, payload ...[]byte) []byte {
	p := slices.Concat(payload...)
	b := slices.Concat(ethernet, []byte{0x86, 0xdd, 0x60, 0, 0, 0}, binary.BigEndian.AppendUint16(nil, uint16(len(p))), []byte{next, 64},
		netip.MustParseAddr(netns.Client6).AsSlice(), netip.MustParseAddr(netns.Server6).AsSlice())
	return append(b, p...)
}

func ipv4(frag uint16, payload []byte) []byte {
	b := slices.Concat(ethernet, []byte{8, 0, 0x45, 0}, binary.BigEndian.AppendUint16(nil, uint16(20+len(payload))), []byte{0, 1},
		binary.BigEndian.AppendUint16(nil, frag), []byte{64, 6, 0, 0}, netip.MustParseAddr(netns.Client4).AsSlice(), netip.MustParseAddr(netns.Server4).AsSlice())
	return append(b, payload...)
}

// TestHostileFrames throws frames at protected addresses that no host would
// send. None may end the process.
func TestHostileFrames(t *testing.T) { eachWay(t, testHostileFrames) }

func testHostileFrames(t *testing.T, attach string) {
	options := []byte{60, 0, 1, 4, 0, 0, 0, 0}
	segment := []byte{0x13, 0x88, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x10, 0, 0, 0, 0, 0}
	frames := [][]byte{
		ipv6(60, bytes.Repeat(options, 9), []byte{6, 255, 1, 4, 0, 0, 0, 0}, segment), // an extension header that is longer than the packet
		ipv6(60, bytes.Repeat(options, 100)),
		ipv6(44, []byte{60, 0, 0, 0, 0, 0, 0, 1, 6, 255, 0, 0, 0, 0, 0, 0}, segment),
		ipv6(44, []byte{6, 0, 0xff, 0xf9, 0, 0, 0, 2}, segment),
		ipv4(0x2000, segment[:8]),
		ipv4(0x1fff, segment),
		ipv4(0x3fff, bytes.Repeat(segment, 50)),
		ipv4(0, append(slices.Clone(segment[:12]), 0xf0, 2, 0, 0, 0, 0, 0, 0)), // a TCP header that is longer than the packet
		ipv4(0, append(slices.Clone(segment[:12]), 0x10, 0xff, 0, 0, 0, 0, 0, 0)),
		ipv4(0, append(append(slices.Clone(segment[:12]), 0x60, 2, 0, 0, 0, 0, 0, 0), 5, 1, 8, 0)),
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, base := range [][]byte{ipv4(0, append(slices.Clone(segment), "GET / HTTP/1.1\r\n"...)), ipv6(6, segment, []byte("GET"))} {
		for range 2000 {
			f := slices.Clone(base)
			for range 1 + random.IntN(4) {
				f[12+random.IntN(len(f)-12)] = byte(random.Uint32())
			}
			frames = append(frames, f)
		}
	}
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	client := netns.NewCapture(t, b.Client, "c0")
	before := b.status(t)
	for _, f := range frames {
		client.Send(t, f)
	}
	if got := once(t, b, "/refused", ""); !bytes.Contains([]byte(got), []byte("refused by the patch")) {
		t.Errorf("request afterwards = %q; want it refused by the patch", got)
	}
	if after := b.status(t); after.Instance != before.Instance || after.Ports[0].HandedUp-before.Ports[0].HandedUp < 1000 {
		t.Errorf("afterwards: instance %s, port %+v; want the same process, %s, with most frames handed up", after.Instance, after.Ports[0], before.Instance)
	}
}
