package port

import (
	"errors"
	"fmt"
	"time"

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

// watched lists what Wait polls: the wake-up event, then each side's.
func (p *Port) watched() []unix.PollFd {
	all := []unix.PollFd{{Fd: int32(p.wake), Events: unix.POLLIN}}
	for i := range p.sides {
		for _, fd := range p.sides[i].carrier.fds() {
			all = append(all, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		p.upTo[i] = len(all)
	}
	return all
}

// Wait sends what Send kept back, and blocks until a frame waits, Wake is
// called or the timeout is over.
func (p *Port) Wait(timeout time.Duration) (Ready, error) {
	p.Flush()
	if r := (Ready{Frames: [2]bool{p.sides[A].carrier.ready(), p.sides[B].carrier.ready()}}); r.Frames[A] || r.Frames[B] {
		return r, nil
	}
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	_, err := unix.Ppoll(p.polled, &ts, nil)
	if err == unix.EINTR {
		return Ready{}, nil
	}
	if err != nil {
		return Ready{}, fmt.Errorf("wait for frames: %w", err)
	}
	var r Ready
	for i := 1; i < len(p.polled); i++ {
		if p.polled[i].Revents != 0 {
			r.Frames[sideOf(i < p.upTo[A])] = true
		}
	}
	if r.Woken = p.polled[0].Revents != 0; r.Woken {
		var b [8]byte
		unix.Read(p.wake, b[:])
	}
	return r, nil
}

func sideOf(isA bool) Side {
	if isA {
		return A
	}
	return B
}

// Wake makes Wait return. Any goroutine may call it.
func (p *Port) Wake() {
	one := [8]byte{1}
	unix.Write(p.wake, one[:])
}

// Recv returns one frame that came in on side s and its virtio-net header. The
// frame lies in buf (of BufferSize) or in memory of the port, is the caller's
// to change, and stays until Recv is called again for that side. ErrAgain:
// there is none.
func (p *Port) Recv(s Side, buf []byte) (packet.VNet, []byte, error) {
	v, frame, err := p.sides[s].carrier.recv(buf)
	if err != nil && err != ErrAgain {
		err = fmt.Errorf("receive from wire port %s: %w", s, err)
	}
	return v, frame, err
}

// Send sends one frame out of side s, at the next Flush at the latest. A frame
// that the kernel does not take (no link, queue full) is lost, as on a wire; the
// error says why.
func (p *Port) Send(s Side, v packet.VNet, frame []byte) error {
	if len(frame) == 0 {
		return errors.New("send: empty frame")
	}
	packets := 1
	if v.GSOSize > 0 {
		packets = (len(frame) + int(v.GSOSize) - 1) / int(v.GSOSize)
	}
	if err := p.sides[s].carrier.send(v, frame, packets); err != nil {
		p.engine.countFailed(s, packets)
		return fmt.Errorf("send on wire port %s: %w", s, err)
	}
	p.engine.countSent(s, packets, len(frame))
	return nil
}

// Flush sends what Send kept back to send it with others. Wait does so too.
func (p *Port) Flush() {
	for i := range p.sides {
		if u := p.sides[i].carrier.flush(); u.packets > 0 {
			p.engine.countSent(Side(i), -u.packets, -u.bytes)
			p.engine.countFailed(Side(i), u.packets)
		}
	}
}

// Heartbeat tells the program that the engine lives. It must be called well
// within StaleAfter, and only by the loop that serves the frames.
func (p *Port) Heartbeat() { p.engine.beat() }
