package web

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/wire"
)

// In the file both packets go the way that the bytes went, over the protocol that
// they came by.
func TestEvidencePcap(t *testing.T) {
	const client, server = "192.0.2.7:5000", "192.0.2.1:53"
	for _, tt := range []struct {
		name     string
		evidence session.Evidence
		from     [2]string
	}{
		{"to the server", session.Evidence{Action: "set"}, [2]string{client, client}},
		{"from the server", session.Evidence{Action: "set", ToClient: true}, [2]string{server, server}},
		{"answered", session.Evidence{Action: "reject"}, [2]string{client, server}},
		{"an answer replaced", session.Evidence{Action: "reject", ToClient: true}, [2]string{server, server}},
		{"a datagram", session.Evidence{Action: "reject", Datagram: true}, [2]string{client, server}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.evidence.Before, tt.evidence.After = []byte("before"), []byte("then")
			b := evidencePcap(wire.Record{Event: control.Event{Time: time.Unix(1, 0), Client: client, Server: server, Evidence: &tt.evidence}})
			protocol, header := byte(6), 20
			if tt.evidence.Datagram {
				protocol, header = 17, 8
			}
			b = b[24:]
			for i, want := range []string{"before", "then"} {
				n := binary.LittleEndian.Uint32(b[8:])
				ip := b[16 : 16+n]
				b = b[16+n:]
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:])), binary.BigEndian.Uint16(ip[20:])).String()
				if ip[9] != protocol || from != tt.from[i] || len(ip) < 20+header {
					t.Fatalf("packet %d is of protocol %d, from %s; want %d, from %s", i, ip[9], from, protocol, tt.from[i])
				}
				if diff := cmp.Diff(want, string(ip[20+header:])); diff != "" {
					t.Errorf("packet %d (-want +got):\n%s", i, diff)
				}
				if tt.evidence.Datagram && int(binary.BigEndian.Uint16(ip[24:])) != 8+len(want) {
					t.Errorf("packet %d says %d octets; want %d", i, binary.BigEndian.Uint16(ip[24:]), 8+len(want))
				}
			}
			if len(b) > 0 {
				t.Errorf("%d bytes behind the two packets", len(b))
			}
		})
	}
}
