package port

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

// BufferSize is what Recv wants its buffer to hold: the largest GSO packet with
// its headers.
const BufferSize = 66 << 10

// ErrAgain says that no frame is waiting.
var ErrAgain = errors.New("no frame waiting")

func newEvent() (int, error) { return unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC) }

// Ready says what Wait woke up for.
type Ready struct {
	Frames [2]bool // frames are waiting from this side
	Woken  bool    // Wake was called
}

// Wait blocks until a frame waits, Wake is called or the timeout is over.
func (p *Port) Wait(timeout time.Duration) (Ready, error) {
	fds := [3]unix.PollFd{
		{Fd: int32(p.sides[A].tap), Events: unix.POLLIN},
		{Fd: int32(p.sides[B].tap), Events: unix.POLLIN},
		{Fd: int32(p.wake), Events: unix.POLLIN},
	}
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	_, err := unix.Ppoll(fds[:], &ts, nil)
	if err == unix.EINTR {
		return Ready{}, nil
	}
	if err != nil {
		return Ready{}, fmt.Errorf("wait for frames: %w", err)
	}
	r := Ready{Frames: [2]bool{fds[A].Revents != 0, fds[B].Revents != 0}, Woken: fds[2].Revents != 0}
	if r.Woken {
		var b [8]byte
		unix.Read(p.wake, b[:])
	}
	return r, nil
}

// Wake makes Wait return. Any goroutine may call it.
func (p *Port) Wake() {
	one := [8]byte{1}
	unix.Write(p.wake, one[:])
}

// Recv reads one frame that came in on side s into buf (of BufferSize), and
// returns its virtio-net header and the part of buf that holds the frame.
// ErrAgain: there is none.
func (p *Port) Recv(s Side, buf []byte) (packet.VNet, []byte, error) {
	var v packet.VNet
	n, err := unix.Read(p.sides[s].tap, buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return v, nil, ErrAgain
	}
	if err != nil {
		return v, nil, fmt.Errorf("read TAP of wire port %s: %w", s, err)
	}
	if !v.Unmarshal(buf[:n]) {
		return v, nil, fmt.Errorf("read TAP of wire port %s: got %d bytes, want a virtio header", s, n)
	}
	return v, buf[packet.VNetLen:n], nil
}

// Send sends one frame out of side s. A frame that the kernel does not take (no
// link, queue full) is lost, as on a wire; the error says why.
func (p *Port) Send(s Side, v packet.VNet, frame []byte) error {
	if len(frame) == 0 {
		return errors.New("send: empty frame")
	}
	d := &p.sides[s]
	v.Marshal(d.hdr[:])
	d.iov[0] = unix.Iovec{Base: &d.hdr[0], Len: packet.VNetLen}
	d.iov[1] = unix.Iovec{Base: &frame[0], Len: uint64(len(frame))}
	packets := 1
	if v.GSOSize > 0 {
		packets = (len(frame) + int(v.GSOSize) - 1) / int(v.GSOSize)
	}
	_, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(d.out), uintptr(unsafe.Pointer(&d.iov[0])), uintptr(len(d.iov)))
	d.iov[1].Base = nil
	if errno != 0 {
		p.engine.countFailed(s, packets)
		return fmt.Errorf("send on wire port %s: %w", s, errno)
	}
	p.engine.countSent(s, packets, len(frame))
	return nil
}

// Heartbeat tells the program that the engine lives. It must be called well
// within StaleAfter, and only by the loop that serves the frames.
func (p *Port) Heartbeat() { p.engine.beat() }
