package web

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/mgmt/wire"
)

// Of a pcap file: magic for times in microseconds, raw IP as link type.
const (
	pcapMagic = 0xa1b2c3d4
	pcapRawIP = 101
)

// evidencePcap is the evidence of one correction as two packets for Wireshark:
// the bytes as they came, then what stood in their place. The frames are made
// here; the bytes and the two ends are what the wire had.
func evidencePcap(r wire.Record) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, struct {
		Magic        uint32
		Major, Minor uint16
		Zone, Digits uint32
		Snap, Link   uint32
	}{pcapMagic, 2, 4, 0, 0, 262144, pcapRawIP})
	from, to := end(r.Client), end(r.Server)
	if r.Evidence.ToClient {
		from, to = to, from
	}
	addPacket(&b, r, r.Time, from, to, r.Evidence.Before)
	if r.Evidence.Action == "reject" { // answered in the server's place
		from, to = end(r.Server), end(r.Client)
	}
	addPacket(&b, r, r.Time.Add(time.Microsecond), from, to, r.Evidence.After)
	return b.Bytes()
}

// end reads "address:port"; what is none becomes the unspecified one.
func end(s string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func addPacket(b *bytes.Buffer, r wire.Record, at time.Time, from, to netip.AddrPort, payload []byte) {
	segment := binary.BigEndian.AppendUint16(nil, from.Port())
	segment = binary.BigEndian.AppendUint16(segment, to.Port())
	protocol := byte(unix.IPPROTO_TCP)
	if r.Evidence.Datagram {
		protocol = unix.IPPROTO_UDP
		segment = binary.BigEndian.AppendUint16(segment, uint16(8+len(payload)))
		segment = append(segment, 0, 0) // no checksum
	} else {
		segment = binary.BigEndian.AppendUint32(segment, 1)
		segment = binary.BigEndian.AppendUint32(segment, 1)
		segment = append(segment, 5<<4, 0x18, 0xff, 0xff, 0, 0, 0, 0) // 20 bytes, PSH and ACK
	}
	segment = append(segment, payload...)
	packet := append(ipHeader(protocol, from.Addr(), to.Addr(), len(segment)), segment...)
	binary.Write(b, binary.LittleEndian, [4]uint32{uint32(at.Unix()), uint32(at.Nanosecond() / 1000), uint32(len(packet)), uint32(len(packet))})
	b.Write(packet)
}

func ipHeader(protocol byte, from, to netip.Addr, payload int) []byte {
	if from.Is4() && to.Is4() {
		h := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0}
		binary.BigEndian.PutUint16(h[2:], uint16(20+payload))
		return append(append(h, from.AsSlice()...), to.AsSlice()...)
	}
	h := []byte{0x60, 0, 0, 0, 0, 0, protocol, 64}
	binary.BigEndian.PutUint16(h[4:], uint16(payload))
	f, t := from.As16(), to.As16()
	return append(append(h, f[:]...), t[:]...)
}
