package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// datagramOf is a frame with a UDP datagram from port 5000 to port 53; IPv4
// has two options, one of which goes into every fragment.
func datagramOf(v6 bool, payload []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	f := Frame{L3: 14}
	if v6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 60, 64)
		b = append(append(b, make([]byte, 15)...), 1)
		b = append(append(b, make([]byte, 15)...), 2)
		b = append(b, 17, 0, 1, 4, 0, 0, 0, 0) // destination options, padded
		f.V6 = true
	} else {
		b = append(b, 8, 0, 0x48, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
		b = append(b, 7, 4, 4, 0, 1, 0x88, 4, 1, 2, 0, 0, 0) // record route, stream identifier
	}
	f.L4 = len(b)
	b = append(b, 0x13, 0x88, 0, 53, 0, 0, 0, 0)
	f.Data = append(b, payload...)
	f.Payload, f.End = f.L4+8, len(f.Data)
	f.PutUDPLength()
	return f.Data
}

func TestParseUDP(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		b := append(datagramOf(v6, []byte("query")), 0, 0) // padding of the frame
		var f Frame
		if err := f.Parse(b); !errors.Is(err, ErrUDP) {
			t.Fatalf("IPv6 %v: Parse = %v; want %v", v6, err, ErrUDP)
		}
		if string(f.Body()) != "query" || f.SrcPort != 5000 || f.DstPort != 53 || f.Surplus != 0 || !f.ValidUDPChecksum() {
			t.Errorf("IPv6 %v: Parse = %+v", v6, f)
		}
		at := f.L4
		for _, tt := range []struct {
			name   string
			length uint16
			err    error
			body   string
			rest   int
		}{
			{"shorter than the packet", 12, ErrUDP, "quer", 1},
			{"without payload", 8, ErrUDP, "", 5},
			{"longer than the packet", 14, ErrMalformed, "", 0},
			{"shorter than its header", 7, ErrMalformed, "", 0},
			{"none", 0, ErrMalformed, "", 0},
		} {
			c := slices.Clone(b)
			binary.BigEndian.PutUint16(c[at+4:], tt.length)
			err := f.Parse(c)
			if !errors.Is(err, tt.err) || err == ErrUDP && (string(f.Body()) != tt.body || f.Surplus != tt.rest) {
				t.Errorf("IPv6 %v, %s: Parse = %v, %+v; want %v, body %q, surplus %d", v6, tt.name, err, f, tt.err, tt.body, tt.rest)
			}
		}
		c := slices.Clone(b)
		c[at+6], c[at+7] = 0, 0
		if f.Parse(c); f.ValidUDPChecksum() == v6 {
			t.Errorf("IPv6 %v without a checksum: valid %v; want %v", v6, v6, !v6)
		}
		c = slices.Clone(b)
		c[at+8]++
		if f.Parse(c); f.ValidUDPChecksum() {
			t.Errorf("IPv6 %v with another byte: checksum is valid", v6)
		}
	}
}

// TestFragments cuts datagrams and puts them together again.
func TestFragments(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, size := range []int{0, 1, 1231, 1232, 1233, 9000, 30000} {
			payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			b := datagramOf(v6, payload)
			var f, g Frame
			f.Parse(b)
			var parts [][]byte
			if !f.Fragments(1280, 77, nil, func(p []byte) { parts = append(parts, slices.Clone(p)) }) {
				t.Fatalf("Fragments of %d bytes = false", size)
			}
			var r Reassembler
			var whole []byte
			for i := range parts {
				p := parts[(i+1)%len(parts)]
				if len(p) > 14+1280 {
					t.Errorf("fragment has %d bytes of packet; want at most 1280", len(p)-14)
				}
				switch err := g.Parse(p); {
				case errors.Is(err, ErrFragment):
					if w, _ := r.Add(&g, 1); w != nil {
						whole = w
					}
				case errors.Is(err, ErrUDP) && len(parts) == 1:
					whole = p
				default:
					t.Fatalf("IPv6 %v, %d bytes: Parse of fragment %d = %v", v6, size, i, err)
				}
			}
			if err := g.Parse(whole); !errors.Is(err, ErrUDP) || !bytes.Equal(g.Body(), payload) || !g.ValidUDPChecksum() {
				t.Errorf("IPv6 %v, %d bytes in %d fragments: the whole is %v, %d bytes", v6, size, len(parts), err, len(whole))
			}
		}
	}
	var f Frame
	f.Parse(datagramOf(false, []byte("x")))
	if f.Fragments(39, 1, nil, func([]byte) {}) {
		t.Error("Fragments for an MTU of 39 = true; want false")
	}
}

func FuzzUDP(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		f.Add(datagramOf(v6, []byte("query")), uint16(1280))
		f.Add(datagramOf(v6, make([]byte, 3000)), uint16(60))
	}
	f.Fuzz(func(t *testing.T, b []byte, mtu uint16) {
		var g Frame
		if err := g.Parse(b); err != ErrUDP {
			return
		}
		if g.Payload != g.L4+8 || g.End < g.Payload || g.End+g.Surplus > len(b) {
			t.Fatalf("Parse = %+v of %d bytes", g, len(b))
		}
		g.PutUDPLength()
		if !g.ValidUDPChecksum() {
			t.Fatalf("checksum is wrong after PutUDPLength")
		}
		n := 0
		g.Fragments(int(mtu), 1, nil, func(p []byte) {
			if n++; len(p)-g.L3 > int(mtu) {
				t.Fatalf("fragment of %d bytes for an MTU of %d", len(p)-g.L3, mtu)
			}
		})
	})
}
