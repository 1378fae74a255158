package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// errorAbout wraps the IP datagram of a frame into an ICMP error from a router,
// with at most n bytes of it quoted.
func errorAbout(frame []byte, typ, code byte, mtu uint16, n int) []byte {
	var f Frame
	if err := f.Parse(frame); err != nil {
		panic(err)
	}
	quoted := f.Data[f.L3:f.End]
	quoted = quoted[:min(n, len(quoted))]
	b := slices.Clone(f.Data[:f.L3])
	icmp := append([]byte{typ, code, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quoted...)
	if f.V6 {
		b = append(b, 0x60, 0, 0, 0, byte(len(icmp)>>8), byte(len(icmp)), protoICMPv6, 64)
		b = append(append(b, f.Dst[:]...), f.Src[:]...)
	} else {
		total := ipv4MinLen + len(icmp)
		b = append(b, 0x45, 0, byte(total>>8), byte(total), 0, 1, 0, 0, 64, protoICMP, 0, 0)
		b = append(append(b, f.Dst[12:]...), f.Src[12:]...)
		out := Frame{Data: b, L3: f.L3, L4: len(b)}
		out.PutIPv4Checksum()
	}
	at := len(b)
	b = append(b, icmp...)
	q := Quote{Data: b, V6: f.V6, l3: f.L3, ICMP: at, End: len(b)}
	putICMPChecksum(&q)
	return b
}

// putICMPChecksum writes the checksum anew, by another way than adjust.
func putICMPChecksum(q *Quote) {
	msg := slices.Clone(q.Data[q.ICMP:q.End])
	msg[2], msg[3] = 0, 0
	if q.V6 {
		p := slices.Clone(q.Data[q.l3+8 : q.l3+40])
		p = binary.BigEndian.AppendUint32(p, uint32(len(msg)))
		msg = slices.Concat(p, []byte{0, 0, 0, protoICMPv6}, msg)
	}
	binary.BigEndian.PutUint16(q.Data[q.ICMP+2:], ^fold(sum(msg, 0)))
}

func TestQuote(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, v6 := range []bool{false, true} {
		for tags := range 3 {
			for _, n := range []int{28, 38, 60, 576} {
				if v6 {
					n += 20
				}
				segment := segmentOf(rng, v6, tags, 12, 300)
				var f Frame
				if err := f.Parse(segment); err != nil {
					t.Fatal(err)
				}
				typ, code := byte(3), byte(4)
				if v6 {
					typ, code = 2, 0
				}
				b := errorAbout(segment, typ, code, 1280, n)
				var q Quote
				if err := q.Parse(b); err != nil {
					t.Fatalf("IPv6 %t, %d tags, %d bytes quoted: Parse = %v", v6, tags, n, err)
				}
				if q.Src != f.Src || q.Dst != f.Dst || q.SrcPort != f.SrcPort || q.DstPort != f.DstPort || q.Seq() != f.Seq() || q.VLAN != f.VLAN || q.MTU() != 1280 || !q.ValidChecksum() {
					t.Errorf("Parse = %+v, sequence number %d, MTU %d; want what was quoted: %+v", q, q.Seq(), q.MTU(), f)
				}
				before := slices.Clone(b)
				was := q.Seq()
				q.PutSeq(was+1000, false)
				if q.Seq() != was+1000 || !q.ValidChecksum() {
					t.Errorf("after PutSeq: sequence number %d, checksum valid %t; want %d, true", q.Seq(), q.ValidChecksum(), was+1000)
				}
				q.PutSeq(was, false)
				if !bytes.Equal(b, before) {
					t.Errorf("PutSeq there and back changed the frame:\n%x\n%x", before, b)
				}
			}
		}
	}
}

func TestNoQuote(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	s4, s6 := segmentOf(rng, false, 0, 0, 100), segmentOf(rng, true, 0, 0, 100)
	e4, e6 := errorAbout(s4, 3, 4, 1280, 60), errorAbout(s6, 2, 0, 1280, 80)
	edit := func(b []byte, at int, v ...byte) []byte {
		c := slices.Clone(b)
		copy(c[at:], v)
		return c
	}
	for name, b := range map[string][]byte{
		"a segment":            s4,
		"ARP":                  edit(e4, 12, 8, 6),
		"echo request":         edit(e4, 34, 8),
		"echo reply, IPv6":     edit(e6, 54, 129),
		"a fragment":           edit(e4, 20, 0x20, 0),
		"quoted UDP":           edit(e4, 42+9, 17),
		"quoted later piece":   edit(e4, 42+6, 0, 1),
		"quoted other version": edit(e4, 42, 0x65),
		"quoted short header":  edit(e4, 42, 0x44),
		"quoted long header":   edit(e4, 42, 0x4f),
		"7 bytes of TCP":       errorAbout(s4, 11, 0, 0, 27),
		"7 bytes of TCP, IPv6": errorAbout(s6, 3, 0, 0, 47),
		"quoted IPv6 UDP":      edit(e6, 62+6, 17),
		"quoted other, IPv6":   edit(e6, 62, 0x45),
		"nothing quoted":       errorAbout(s4, 3, 1, 0, 0),
		"empty":                nil,
	} {
		var q Quote
		if err := q.Parse(b); !errors.Is(err, ErrNotTCP) {
			t.Errorf("%s: Parse = %v; want %v", name, err, ErrNotTCP)
		}
	}
	for typ, want := range map[byte]int{3: 0, 11: 0, 12: 0} {
		var q Quote
		if err := q.Parse(errorAbout(s4, typ, 0, 1280, 60)); err != nil || q.MTU() != want {
			t.Errorf("type %d: Parse = %v, MTU() = %d; want nil, %d", typ, err, q.MTU(), want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 8 {
		v6 := i%2 == 0
		typ := byte(3)
		if v6 {
			typ = 2
		}
		f.Add(errorAbout(segmentOf(rng, v6, i%3, 12, 100), typ, 4, 1280, 48+i*10), uint32(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, seq uint32) {
		var q Quote
		if q.Parse(b) != nil {
			return
		}
		if q.l3 < 14 || q.ICMP < q.l3+20 || q.L4 < q.ICMP+28 || q.End < q.L4+8 || q.End > len(b) {
			t.Fatalf("Parse = %+v of %d bytes", q, len(b))
		}
		if m := q.MTU(); m < 0 || m > 1<<16 {
			t.Fatalf("MTU() = %d", m)
		}
		valid := q.ValidChecksum()
		q.PutSeq(seq, false)
		if q.Seq() != seq {
			t.Fatalf("Seq() = %d after PutSeq(%d)", q.Seq(), seq)
		}
		if valid && !q.ValidChecksum() {
			t.Fatal("PutSeq made a valid checksum invalid")
		}
	})
}
