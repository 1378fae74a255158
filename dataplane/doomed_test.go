package main

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// segment is an ACK from 10.0.0.1:1000 to 10.0.0.2:80, or over IPv6, with one
// VLAN tag.
func segment(v6 bool) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7}
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	if v6 {
		src, dst = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 6, 64)
	} else {
		b = append(b, 8, 0, 0x45, 0, 0, 44, 0, 1, 0x40, 0, 64, 6, 0, 0)
	}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	b = append(b, 0x03, 0xe8, 0, 80, 0, 0, 0, 9, 0, 0, 0x12, 0x34, 0x50, packet.ACK, 1, 0, 0, 0, 0, 0)
	return append(b, "data"...)
}

func TestResetFor(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		var in, out packet.Frame
		if err := in.Parse(segment(v6)); err != nil {
			t.Fatal(err)
		}
		v, b := resetFor(&in)
		if err := out.Parse(b); err != nil {
			t.Fatalf("v6=%t: Parse of the reset: %v", v6, err)
		}
		if out.Src != in.Dst || out.Dst != in.Src || out.SrcPort != 80 || out.DstPort != 1000 || out.VLAN != in.VLAN {
			t.Errorf("v6=%t: reset goes from %v:%d to %v:%d; want it to answer the segment", v6, out.Src, out.SrcPort, out.Dst, out.DstPort)
		}
		if out.Flags != packet.RST || out.Seq() != 0x1234 || out.Payload != out.End || string(b[:12]) != "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02" {
			t.Errorf("v6=%t: reset = %x; want RST with sequence number 0x1234", v6, b)
		}
		if v.Flags != packet.VNetNeedsCsum || int(v.CsumStart) != out.L4 || v.CsumOffset != 16 {
			t.Errorf("v6=%t: header = %+v; want the checksum left to the kernel", v6, v)
		}
		// As the kernel will do it: the sum from CsumStart on, inverted.
		var acc uint32
		for i := out.L4; i < len(b); i += 2 {
			acc += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		for acc > 0xffff {
			acc = acc>>16 + acc&0xffff
		}
		binary.BigEndian.PutUint16(b[out.L4+16:], ^uint16(acc))
		if !out.ValidChecksum() {
			t.Errorf("v6=%t: checksum of %x is wrong", v6, b)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		var in, out packet.Frame
		if err := in.Parse(segment(v6)); err != nil {
			t.Fatal(err)
		}
		_, b := session.Probe(&in)
		if err := out.Parse(b); err != nil {
			t.Fatalf("v6=%t: Parse of the probe: %v", v6, err)
		}
		if out.Src != in.Src || out.Dst != in.Dst || out.SrcPort != in.SrcPort || out.VLAN != in.VLAN || string(b[:12]) != string(in.Data[:12]) {
			t.Errorf("v6=%t: probe %x; want it to go where the segment goes", v6, b)
		}
		if out.Flags != packet.ACK || in.Seq()-out.Seq() != 1<<30 || out.Ack() != in.Ack() || out.End != out.Payload+1 {
			t.Errorf("v6=%t: probe = %x; want one byte, far below the segment", v6, b)
		}
	}
}

func FuzzResetFor(f *testing.F) {
	f.Add(segment(false))
	f.Add(segment(true))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in, out packet.Frame
		if in.Parse(b) != nil {
			return
		}
		_, reset := resetFor(&in)
		if err := out.Parse(reset); err != nil {
			t.Fatalf("reset for %x does not parse: %v: %x", b, err, reset)
		}
		if out.Src != in.Dst || out.DstPort != in.SrcPort || out.Flags != packet.RST {
			t.Errorf("reset for %x = %x; want it to answer the segment", b, reset)
		}
	})
}

// TestSegmentOf: what is made from a mark says what the session's own frames say.
func TestSegmentOf(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		var like packet.Frame
		if err := like.Parse(segment(v6)); err != nil {
			t.Fatal(err)
		}
		end := func(a [16]byte, p uint16) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), p) }
		flow := port.Flow{VLAN: like.VLAN, Client: end(like.Src, like.SrcPort), Server: end(like.Dst, like.DstPort)}
		m := port.Mark{Link: like.Data[:like.L3], Seq: [2]uint32{9, 0x1234}}
		for dir, want := range []packet.Frame{like, {Src: like.Dst, Dst: like.Src, SrcPort: like.DstPort, DstPort: like.SrcPort}} {
			f := segmentOf(flow, m, session.Direction(dir), 77)
			if f == nil {
				t.Fatalf("v6=%t, direction %d: no frame", v6, dir)
			}
			if f.Src != want.Src || f.Dst != want.Dst || f.SrcPort != want.SrcPort || f.DstPort != want.DstPort || f.VLAN != like.VLAN || f.Seq() != m.Seq[dir] || f.Ack() != 77 {
				t.Errorf("v6=%t, direction %d: segment %x; want the session's", v6, dir, f.Data)
			}
		}
		if f := segmentOf(flow, port.Mark{Link: []byte{1}}, session.ToClient, 77); f != nil {
			t.Errorf("v6=%t: segment %x from half a link header; want none", v6, f.Data)
		}
	}
}
