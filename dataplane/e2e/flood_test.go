package e2e

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// TestFlood sends more forged SYNs than any table holds, of several kinds, while
// sessions are busy. None of them may suffer, and new ones find their way.
func TestFlood(t *testing.T) { eachWay(t, testFlood) }

func testFlood(t *testing.T, attach string) {
	const forged = 120_000 // the tables of what is half open hold 32,768 and 50,000
	// Closed, so that a machine that stands still for a moment loses frames, not corrections.
	b := newBoxWith(t, attach, strings.ReplaceAll(settingsText, "port = 80\n", "port = 80\nfail = closed\n"), "testdata/definitions")
	startNginx(t, b.Server)
	routed(t, b.Server, map[string]string{"198.18.0.0/15": netns.Client4}) // what the server answers comes back this way
	k := talk(t, b, 16, math.MaxInt)
	k.goOn(t, 100)
	wire := netns.NewCapture(t, b.Client, "c0")
	before := b.status(t)
	kinds := [][][]byte{
		(&raw{t: t, port: 1, isn: 1}).frames(crafted{off: -1, flags: tcpSYN, syn: true}),
		(&raw{t: t, port: 1, isn: 1}).frames(crafted{off: -1, flags: tcpSYN, syn: true, data: evilRequest}),
		(&raw{t: t, port: 1, isn: 1}).frames(crafted{off: -1, flags: tcpSYN, syn: true}),
		(&raw{t: t, port: 1, isn: 1}).frames(crafted{off: -1, flags: tcpSYN | tcpURG, syn: true}),
	}
	rng, lost := rand.New(rand.NewPCG(1, 2)), 0
	for i := range forged {
		f := kinds[i%len(kinds)][0]
		forge(f, netip.AddrFrom4([4]byte{198, 18 + byte(i>>16)&1, byte(i >> 8), byte(i)}), uint16(rng.Uint32()))
		if err := wire.TrySend(f); err != nil {
			lost++
		}
		if i%1000 == 0 && t.Failed() {
			break
		}
	}
	k.goOn(t, 200)
	if got := once(t, b, "/refused", ""); !strings.Contains(got, "refused by the patch") {
		t.Errorf("a new session's request = %q; want it refused", got)
	}
	k.end()
	after := b.status(t)
	t.Logf("%d frames did not get onto the wire; then %+v, %+v", lost, after.Sessions, after.Ports)
	up := after.Ports[0].HandedUp - before.Ports[0].HandedUp
	if after.Instance != before.Instance || after.Sessions.Reset+after.Sessions.Passed != 0 || after.Sessions.Open > 60_000 || up < forged/10 {
		t.Errorf("after the flood: %+v, %+v, %d frames handed up; want the same process, no session reset or passed, and no more half-open ones than it has room for", after.Sessions, after.Ports, up)
	}
}

// forge gives a frame of IPv4 another source.
func forge(f []byte, src netip.Addr, port uint16) {
	const ip, tcp = 14, 34
	copy(f[ip+12:], src.AsSlice())
	binary.BigEndian.PutUint16(f[tcp:], port)
	clear(f[ip+10 : ip+12])
	binary.BigEndian.PutUint16(f[ip+10:], ^onesSum(f[ip:tcp]))
	clear(f[tcp+16 : tcp+18])
	n := len(f) - tcp
	binary.BigEndian.PutUint16(f[tcp+16:], ^onesSum(slices.Concat(f[ip+12:ip+20], []byte{0, 6, byte(n >> 8), byte(n)}, f[tcp:])))
}
