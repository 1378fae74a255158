package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

// family is how the bed's ends are reached in one IP version.
type family struct {
	name, client, server string
	mtu                  int // of the narrow path
}

var families = []family{
	{"IPv4", netns.Client4, netns.Server4, 1100},
	{"IPv6", netns.Client6, netns.Server6, 1300},
}

// TestPathMTU shifts the sequence numbers of a session in the server's view of
// what the client sends, and has routers on both sides of the box say that
// segments are too long, or do not get there. The hosts must believe it.
func TestPathMTU(t *testing.T) { eachWay(t, testPathMTU) }

func testPathMTU(t *testing.T, attach string) {
	for _, v := range families {
		t.Run(v.name, func(t *testing.T) {
			b := newBoxBy(t, attach)
			addr := netip.AddrPortFrom(netip.MustParseAddr(v.server), 80).String()
			var l net.Listener
			b.Server.Must(t, func() (err error) {
				l, err = net.Listen("tcp", addr)
				return err
			})
			defer l.Close()
			c := dial(t, b.Client, addr)
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			server.SetDeadline(time.Now().Add(patience))
			const request = "GET /first HTTP/1.1\r\nHost: a\r\n"
			c.exchange(t, server, request+"X-Removed: "+strings.Repeat("b", 500)+"\r\n\r\n", request+"\r\n")

			c.SetDeadline(time.Now().Add(patience))

			// A router behind the box complains about the client's segments.
			body := strings.Repeat("x", 4000)
			post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			out := netns.NewCapture(t, b.Server, "s0")
			transfer(t, c, server, post)
			out.Send(t, tooBig(lastOf(t, out, v.client), v.mtu))
			believes(t, c.Conn, v.mtu)
			// One on the client's side about the server's.
			answer := "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + body
			in := netns.NewCapture(t, b.Client, "c0")
			transfer(t, server, c, answer)
			in.Send(t, tooBig(lastOf(t, in, v.server), v.mtu-10))
			believes(t, server, v.mtu-10)

			transfer(t, c, server, post)
			transfer(t, server, c, answer)
			c.exchange(t, server, request+"X-Removed: b\r\n\r\n", request+"\r\n")

			// One behind the box can no longer reach the server; a client that asks for
			// errors must get this one.
			hearErrors(t, c.Conn)
			out.All(t)
			transfer(t, c, server, post)
			out.Send(t, unreachable(lastOf(t, out, v.client)))
			if n, err := c.Read(make([]byte, 100)); !errors.Is(err, unix.EHOSTUNREACH) {
				t.Errorf("client's read after a router's error = %d bytes, %v; want %v", n, err, unix.EHOSTUNREACH)
			}
		})
	}
}

// transfer brings text from one end to the other.
func transfer(t *testing.T, from io.Writer, to io.Reader, text string) {
	t.Helper()
	go io.WriteString(from, text)
	got := make([]byte, len(text))
	if n, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("%d bytes of %d arrived, %v", n, len(text), err)
	}
}

// lastOf returns the segment with which a host has sent the end of its stream so
// far, its sequence number moved to that end: a host takes errors only about
// what is not acknowledged yet.
func lastOf(t *testing.T, c *netns.Capture, src string) *packet.Frame {
	t.Helper()
	from := netip.MustParseAddr(src).As16()
	var last *packet.Frame
	for _, frame := range c.All(t) {
		var f packet.Frame
		if f.Parse(frame.Data) == nil && f.Src == from && !frame.Outgoing && len(f.Body()) > 0 {
			binary.BigEndian.PutUint32(f.Data[f.L4+4:], f.Seq()+uint32(len(f.Body())))
			if last == nil || int32(f.Seq()-last.Seq()) > 0 {
				last = &f
			}
		}
	}
	if last == nil {
		t.Fatalf("no segment from %s", src)
	}
	return last
}

// believes waits until a host has taken an error.
func believes(t *testing.T, sender net.Conn, mtu int) {
	t.Helper()
	got := 0
	for end := time.Now().Add(patience / 3); time.Now().Before(end); runtime.Gosched() {
		if got = pathMTU(t, sender); got == mtu {
			return
		}
	}
	t.Fatalf("path MTU of %s = %d; want %d", sender.LocalAddr(), got, mtu)
}

// pathMTU asks the kernel what it holds a connection's path MTU for.
func pathMTU(t *testing.T, c net.Conn) int {
	t.Helper()
	return int(tcpInfo(t, c).Pmtu)
}

// hearErrors has a connection end with the errors that routers send about it.
func hearErrors(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if c.RemoteAddr().(*net.TCPAddr).IP.To4() != nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVERR, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tooBig is the error that a router sends about a segment that is too long for
// the next link.
func tooBig(f *packet.Frame, mtu int) []byte {
	if f.V6 {
		return routerError(f, 2, 0, mtu)
	}
	return routerError(f, 3, 4, mtu)
}

// unreachable is the one about a segment whose destination it cannot reach.
func unreachable(f *packet.Frame) []byte {
	if f.V6 {
		return routerError(f, 1, 3, 0)
	}
	return routerError(f, 3, 1, 0)
}

// routerError is an ICMP error about a segment, with as much of it as RFC 792
// asks for.
func routerError(f *packet.Frame, kind, code byte, mtu int) []byte {
	quoted := f.Data[f.L3 : f.L4+8]
	icmp := make([]byte, 8, 8+len(quoted))
	icmp[0], icmp[1] = kind, code
	binary.BigEndian.PutUint16(icmp[6:], uint16(mtu))
	icmp = append(icmp, quoted...)
	b := slices.Concat(f.Data[6:12], f.Data[0:6], f.Data[12:14])
	n := binary.BigEndian.AppendUint16(nil, uint16(len(icmp)))
	if f.V6 {
		pseudo := slices.Concat(f.Dst[:], f.Src[:], []byte{0, 0}, n, []byte{0, 0, 0, 58})
		binary.BigEndian.PutUint16(icmp[2:], internetChecksum(pseudo, icmp))
		return slices.Concat(b, []byte{0x60, 0, 0, 0}, n, []byte{58, 64}, f.Dst[:], f.Src[:], icmp)
	}
	binary.BigEndian.PutUint16(icmp[2:], internetChecksum(icmp))
	ip := slices.Concat([]byte{0x45, 0}, binary.BigEndian.AppendUint16(nil, uint16(20+len(icmp))), []byte{0, 1, 0, 0, 64, 1, 0, 0}, f.Dst[12:], f.Src[12:])
	binary.BigEndian.PutUint16(ip[10:], internetChecksum(ip))
	return slices.Concat(b, ip, icmp)
}

// internetChecksum is that of RFC 1071, in its plainest form.
func internetChecksum(parts ...[]byte) uint16 {
	var sum uint32
	for b := slices.Concat(parts...); len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
