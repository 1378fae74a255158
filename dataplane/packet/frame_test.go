package packet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	v4, v6, tagged := segmentOf(rng, false, 0, 12, 30), segmentOf(rng, true, 0, 12, 30), segmentOf(rng, false, 2, 0, 0)
	edit := func(b []byte, at int, v ...byte) []byte {
		c := slices.Clone(b)
		copy(c[at:], v)
		return c
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"IPv4", v4, nil},
		{"IPv6", v6, nil},
		{"two tags", tagged, nil},
		{"padding", append(slices.Clone(tagged), 0, 0, 0, 0), nil},
		{"empty", nil, ErrTruncated},
		{"Ethernet only", v4[:14], ErrTruncated},
		{"half a tag", tagged[:16], ErrTruncated},
		{"half an IPv4 header", v4[:30], ErrTruncated},
		{"half an IPv6 header", v6[:50], ErrTruncated},
		{"half a TCP header", edit(v4[:50], 16, 0, 36), ErrTruncated},
		{"shorter than its length", v4[:len(v4)-1], ErrTruncated},
		{"ARP", edit(v4, 12, 8, 6), ErrNotTCP},
		{"ICMP", edit(v4, 23, 1), ErrNotTCP},
		{"ICMPv6", edit(v6, 20, 58), ErrNotTCP},
		{"version", edit(v4, 14, 0x55), ErrMalformed},
		{"header length", edit(v4, 14, 0x44), ErrMalformed},
		{"total length", edit(v4, 16, 0, 19), ErrMalformed},
		{"fragment", edit(v4, 20, 0x20, 0), ErrFragment},
		{"fragment of UDP", edit(edit(v4, 20, 0x20, 0), 23, 17), ErrFragment},
		{"fragment of ICMP", edit(edit(v4, 20, 0x20, 0), 23, 1), ErrNotTCP},
		{"data offset", edit(v4, 46, 0x40), ErrMalformed},
		{"data offset beyond the end", edit(tagged, len(tagged)-8, 0xf0), ErrTruncated},
	} {
		var f Frame
		if err := f.Parse(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: Parse = %v; want %v", tt.name, err, tt.want)
		}
	}
}

func TestParseFields(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	b := append(segmentOf(rng, true, 2, 12, 30), 0, 0, 0) // padding
	var f Frame
	if err := f.Parse(b); err != nil {
		t.Fatal(err)
	}
	if f.VLAN != 7<<12|7 || f.L3 != 22 || f.L4 != 62 || f.Payload != 94 || f.End != 124 || !f.V6 {
		t.Errorf("Parse = %+v", f)
	}
	if !bytes.Equal(f.Body(), b[94:124]) || len(f.Options()) != 12 {
		t.Errorf("Body() has %d bytes, Options() %d; want 30, 12", len(f.Body()), len(f.Options()))
	}
	for range 20 { // destination options, one behind the other
		c := append(slices.Clone(b[:62]), b[28], 0, 1, 4, 0, 0, 0, 0)
		c[28] = 60
		b = append(c, b[62:]...)
		b[26], b[27] = byte((len(b)-65)>>8), byte(len(b)-65)
	}
	if err := f.Parse(b); !errors.Is(err, ErrMalformed) {
		t.Errorf("Parse with 20 extension headers = %v; want %v", err, ErrMalformed)
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		opts []byte
		want Handshake
	}{
		{nil, Handshake{}},
		{[]byte{2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, Handshake{MSS: 1460, Scale: 7, HasScale: true, SACK: true, Stamps: true}},
		{[]byte{3, 3, 200}, Handshake{Scale: 14, HasScale: true}},
		{[]byte{0, 2, 4, 5, 0xb4}, Handshake{}},
		{[]byte{2, 0, 4, 2}, Handshake{}},
		{[]byte{2, 40, 4, 2}, Handshake{}},
		{[]byte{253, 4, 1, 1, 4, 2}, Handshake{SACK: true}},
		{[]byte{2, 3, 9, 4}, Handshake{}},
	} {
		if got := ParseHandshake(tt.opts); got != tt.want {
			t.Errorf("ParseHandshake(%x) = %+v; want %+v", tt.opts, got, tt.want)
		}
	}
	stamps := []byte{8, 10, 1, 2, 3, 4, 5, 6, 7, 8}
	for before := range 5 {
		opts := append(bytes.Repeat([]byte{1}, before), stamps...)
		for _, extra := range []int{0, 3} {
			if got, want := TimestampAt(append(opts, make([]byte, extra)...)), before+2; got != want {
				t.Errorf("TimestampAt with %d before, %d after = %d; want %d", before, extra, got, want)
			}
		}
	}
	if got := TimestampAt([]byte{1, 1, 8, 9, 0}); got != -1 {
		t.Errorf("TimestampAt of a short option = %d; want -1", got)
	}
}

func TestShrinkSACK(t *testing.T) {
	opts := append([]byte{1, 1, 5, 18}, bytes.Repeat([]byte{9}, 16)...)
	if got := len(SACKBlocks(opts)); got != 16 {
		t.Fatalf("SACKBlocks has %d bytes; want 16", got)
	}
	ShrinkSACK(opts, 8)
	if got := len(SACKBlocks(opts)); got != 8 {
		t.Errorf("after ShrinkSACK(8) SACKBlocks has %d bytes; want 8", got)
	}
	ShrinkSACK(opts, 0)
	if !bytes.Equal(opts, bytes.Repeat([]byte{1}, 20)) {
		t.Errorf("after ShrinkSACK(0) options are %x; want no-operations", opts)
	}
}

func FuzzParse(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range 8 {
		f.Add(segmentOf(rng, i%2 == 0, i%4, 12, 30))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var g Frame
		err := g.Parse(b)
		if errors.Is(err, ErrFragment) {
			var r Reassembler
			if whole, _ := r.Add(&g, 1); whole != nil {
				_ = g.Parse(whole)
			}
			return
		}
		if err != nil {
			return
		}
		if g.L3 < 14 || g.L4 < g.L3+20 || g.Payload < g.L4+20 || g.End < g.Payload || g.End > len(b) {
			t.Fatalf("Parse = %+v of %d bytes", g, len(b))
		}
		checkOptions(t, g.Options())
		_ = g.ValidChecksum()
		g.Rewrite(4, []byte{1, 2, 3, 4}, false)
		g.PutIPLength()
		g.PutPartialChecksum()
	})
}

func FuzzOptions(f *testing.F) {
	f.Add([]byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2})
	f.Fuzz(func(t *testing.T, b []byte) { checkOptions(t, b[:min(len(b), 40)]) })
}

// checkOptions holds for any options.
func checkOptions(t *testing.T, opts []byte) {
	t.Helper()
	_ = ParseHandshake(opts)
	if at := TimestampAt(opts); at >= 0 && (at < 2 || at+8 > len(opts) || opts[at-2] != 8 || opts[at-1] != 10) {
		t.Fatalf("TimestampAt(%x) = %d", opts, at)
	}
	blocks := SACKBlocks(opts)
	if len(blocks)%8 != 0 {
		t.Fatalf("SACKBlocks(%x) = %x", opts, blocks)
	}
	if len(blocks) > 8 {
		c := slices.Clone(opts)
		ShrinkSACK(c, 8)
		if got := SACKBlocks(c); len(got) != 8 {
			t.Fatalf("after ShrinkSACK(8) SACKBlocks(%x) = %x", c, got)
		}
	}
	if blocks != nil {
		c := slices.Clone(opts)
		ShrinkSACK(c, 0)
	}
}
