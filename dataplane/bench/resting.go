package main

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// crowdService is protected and has no server: sessions to it are made of
// frames alone, so that a million of them need no sockets. Their ends are
// addresses that neither host has.
const crowdService = "10.88.0.0/16"

// rest opens so many sessions through a box, by frames of both ends that the
// hosts' own stacks know nothing of, and leaves them there.
func (h *host) rest(b *netns.Bed, e *engine, sessions int) {
	ends := [2]int{h.wire(b.Client, "c0"), h.wire(b.Server, "s0")}
	macs := [2][]byte{h.mac(netns.ClientMAC), h.mac(netns.ServerMAC)}
	// Some more, as a busy host loses a frame now and then.
	for i := range sessions + sessions/100 {
		for _, f := range handshake(i, macs) {
			if err := unix.Send(ends[f.from], f.data, 0); err != nil {
				h.Fatalf("open session %d: %v", i, err)
			}
		}
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		s, err := e.control.Status(h.Ctx)
		if err != nil {
			h.Fatal(err)
		}
		if s.Sessions.Open >= uint64(sessions) {
			return
		}
		if time.Since(began) > startTime {
			h.Fatalf("the dataplane has %d sessions; want %d", s.Sessions.Open, sessions)
		}
	}
}

// wire opens a socket on a host's end of the wire.
func (h *host) wire(n *netns.NS, name string) int {
	fd := -1
	n.Must(h, func() error {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
	})
	h.Cleanup(func() { unix.Close(fd) })
	return fd
}

func (h *host) mac(text string) []byte {
	m, err := net.ParseMAC(text)
	if err != nil {
		h.Fatal(err)
	}
	return m
}

// sent is a frame and the end that sends it: 0 the client, 1 the server.
type sent struct {
	from int
	data []byte
}

// handshake is SYN, SYN+ACK and ACK of the i-th session.
func handshake(i int, macs [2][]byte) []sent {
	const syn, ack = 0x02, 0x10
	client := [4]byte{10, 89, byte(i >> 8), byte(i)}
	port := uint16(1024 + i>>16)
	return []sent{
		{0, segment(macs, 0, client, port, 1000, 0, syn)},
		{1, segment(macs, 1, client, port, 2000, 1001, syn|ack)},
		{0, segment(macs, 0, client, port, 1001, 2001, ack)},
	}
}

// segment is a frame without payload of a session between client and the
// service of the crowd.
func segment(macs [2][]byte, from int, client [4]byte, port uint16, seq, ack uint32, flags byte) []byte {
	server := [4]byte{10, 88, 0, 1}
	b := append(append(make([]byte, 0, 64), macs[1-from]...), macs[from]...)
	b = append(b, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0)
	src, dst, sp, dp := client, server, port, uint16(80)
	if from == 1 {
		src, dst, sp, dp = dst, src, dp, sp
	}
	b = append(append(b, src[:]...), dst[:]...)
	b = binary.BigEndian.AppendUint16(b, sp)
	b = binary.BigEndian.AppendUint16(b, dp)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(b[24:], ^sum(b[14:34], 0))
	binary.BigEndian.PutUint16(b[50:], ^sum(b[26:], 6+20)) // both addresses, and the segment
	return append(b, make([]byte, 60-len(b))...)
}

// sum is the Internet checksum's sum of b, which has an even length.
func sum(b []byte, first uint32) uint16 {
	for i := 0; i < len(b); i += 2 {
		first += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for first > 0xffff {
		first = first&0xffff + first>>16
	}
	return uint16(first)
}
