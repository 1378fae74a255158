package netns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Capture is a packet socket on one interface: it sends frames and sees all
// that go in and out, with their VLAN tags.
type Capture struct{ fd int }

// Frame is one captured frame.
type Frame struct {
	Data     []byte
	Outgoing bool // left through the interface, rather than came in
}

// NewCapture opens a capture on an interface of the namespace.
func NewCapture(t testing.TB, n *NS, name string) *Capture {
	t.Helper()
	c := &Capture{fd: -1}
	n.Must(t, func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(c.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.Bind(c.fd, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index, Protocol: 0x0300 /* ETH_P_ALL, network order */}))
	})
	t.Cleanup(func() { unix.Close(c.fd) })
	return c
}

// Send puts a frame on the interface as it is, once that has room for it: on a busy
// computer the other end of the link may take its time.
func (c *Capture) Send(t testing.TB, frame []byte) {
	t.Helper()
	err := c.TrySend(frame)
	for end := time.Now().Add(time.Minute); errors.Is(err, unix.ENOBUFS) && time.Now().Before(end); err = c.TrySend(frame) {
		runtime.Gosched()
	}
	if err != nil {
		t.Fatalf("send frame %x: %v", frame, err)
	}
}

// TrySend is Send of a frame that may be lost: where more come than a link takes.
func (c *Capture) TrySend(frame []byte) error {
	_, err := unix.Write(c.fd, frame)
	return err
}

// Next returns the next frame; false when none came within the timeout.
func (c *Capture) Next(t testing.TB, timeout time.Duration) (Frame, bool) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	for end := time.Now().Add(timeout); ; {
		n, err := unix.Poll(fds, int(max(time.Until(end), 0).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatalf("capture: %v", err)
		}
		if n == 0 {
			return Frame{}, false
		}
		break
	}
	buf, oob := make([]byte, 70<<10), make([]byte, 128)
	n, on, _, from, err := unix.Recvmsg(c.fd, buf, oob, 0)
	if err != nil {
		t.Fatalf("capture: %v", err)
	}
	ll, ok := from.(*unix.SockaddrLinklayer)
	return Frame{Data: retag(bytes.Clone(buf[:n]), oob[:on]), Outgoing: ok && ll.Pkttype == unix.PACKET_OUTGOING}, true
}

// Find reads until it meets exactly this frame coming in; false when it did not
// within the timeout.
func (c *Capture) Find(t testing.TB, frame []byte, timeout time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(timeout); ; {
		f, ok := c.Next(t, time.Until(end))
		if !ok {
			return false
		}
		if !f.Outgoing && bytes.Equal(f.Data, frame) {
			return true
		}
	}
}

// All reads what has come so far.
func (c *Capture) All(t testing.TB) []Frame {
	t.Helper()
	var all []Frame
	for {
		f, ok := c.Next(t, 0)
		if !ok {
			return all
		}
		all = append(all, f)
	}
}

// retag puts the VLAN tag back that the kernel took off: struct tpacket_auxdata
// of linux/if_packet.h has tp_status first, tp_vlan_tci and tp_vlan_tpid last.
func retag(frame, oob []byte) []byte {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(frame) < 12 {
		return frame
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < 20 {
			continue
		}
		if binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_VLAN_VALID == 0 {
			continue
		}
		tag := binary.BigEndian.AppendUint16(nil, binary.NativeEndian.Uint16(m.Data[18:]))
		tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[16:]))
		return append(append(bytes.Clone(frame[:12]), tag...), frame[12:]...)
	}
	return frame
}
