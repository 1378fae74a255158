package discover

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"wirepatch/dataplane/banner"
	"wirepatch/dataplane/port"
)

var (
	server = netip.MustParseAddrPort("10.77.0.2:22")
	client = netip.MustParseAddrPort("10.77.0.1:50000")
)

func clocked() (*Table, *time.Time) {
	now := time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)
	return New(func() time.Time { return now }), &now
}

// A greeting in pieces, in any order and twice, is put together.
func TestPiecesInAnyOrder(t *testing.T) {
	const text = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 0, 3, 1}, {1, 3, 0, 2, 2}} {
		tb, _ := clocked()
		tb.Add(port.Sighting{Begins: true, Server: server, Client: client})
		for _, i := range order {
			from, to := i*10, min(i*10+13, len(text)) // they overlap
			if i == 3 {
				to = len(text)
			}
			tb.Add(port.Sighting{Server: server, Client: client, Offset: uint32(from), Data: []byte(text[from:to])})
		}
		got := tb.Services()
		if len(got) != 1 || len(got[0].Software) != 1 || got[0].Software[0].Version != "9.2p1 Debian-2+deb12u3" || len(tb.talks) != 0 {
			t.Errorf("order %v: %+v, %d sessions followed", order, got, len(tb.talks))
		}
	}
}

// A new version takes the place of the one before; a session that nobody began is none.
func TestVersionsChange(t *testing.T) {
	tb, now := clocked()
	for _, v := range []string{"1.18.0", "1.22.1"} {
		*now = now.Add(time.Hour)
		tb.Add(port.Sighting{Begins: true, Server: server, Client: client})
		tb.Add(port.Sighting{Server: server, Client: client, Data: []byte("HTTP/1.1 200 OK\r\nServer: nginx/" + v + "\r\n\r\n")})
	}
	tb.Add(port.Sighting{Server: netip.MustParseAddrPort("10.77.0.3:80"), Client: client, Data: []byte("HTTP/1.1 200 OK\r\nServer: x/1\r\n\r\n")})
	got := tb.Services()
	if len(got) != 1 || len(got[0].Software) != 1 || got[0].Software[0].Version != "1.22.1" || !got[0].Software[0].Seen.Equal(*now) || got[0].Sampled != 2 {
		t.Errorf("%+v; want nginx 1.22.1 only", got)
	}
}

// Whoever makes up servers, sessions and gaps costs bounded memory.
func TestTableIsBounded(t *testing.T) {
	tb, now := clocked()
	for i := range 3 * maxServices {
		*now = now.Add(time.Millisecond)
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(i))
		tb.Add(port.Sighting{Begins: true, Server: at, Client: client})
		for j := range uint32(40) {
			tb.Add(port.Sighting{Server: at, Client: client, Offset: 1 + 100*j, Data: make([]byte, 2048)})
		}
	}
	if got := tb.Services(); len(got) != maxServices || got[0].Address.Compare(netip.MustParseAddr("10.0.31.0")) < 0 {
		t.Errorf("%d services, the first is %v; want the latest %d", len(got), got[0].Address, maxServices)
	}
	held := 0
	for _, k := range tb.talks {
		held += len(k.said) + k.held
	}
	if len(tb.talks) > maxTalks || held > 2*maxTalks*banner.MaxSaid {
		t.Errorf("%d sessions with %d bytes are followed", len(tb.talks), held)
	}
	*now = now.Add(time.Minute)
	tb.Add(port.Sighting{Begins: true, Server: server, Client: client})
	if len(tb.talks) != 1 {
		t.Errorf("%d sessions are followed a minute later; want the one that began", len(tb.talks))
	}
	for i := range 100 {
		tb.Add(port.Sighting{Server: server, Client: client, Data: fmt.Appendf(nil, "x")})
		v := tb.services[key{server, false}]
		v.take(banner.Finding{Names: []string{fmt.Sprint(i)}, Software: []banner.Software{{Name: fmt.Sprint(i)}}}, *now)
		if len(v.Names) > banner.MaxNames || len(v.Software) > banner.MaxSoftware {
			t.Fatal("a service's names and products are not bounded")
		}
	}
}

func TestUDP(t *testing.T) {
	tb, _ := clocked()
	dns, query := make([]byte, 12), make([]byte, 12)
	dns[2] = 0x81
	for _, s := range []port.Sighting{
		{UDP: true, Begins: true, Server: netip.MustParseAddrPort("10.77.0.53:53"), Client: client, Data: dns},
		{UDP: true, Begins: true, Server: netip.MustParseAddrPort("10.77.0.54:53"), Client: client, Data: query}, // asks others itself
	} {
		tb.Add(s)
	}
	if got := tb.Services(); len(got) != 1 || got[0].Protocol != "dns" || !got[0].UDP {
		t.Errorf("%+v; want the one DNS server that answered", got)
	}
}
