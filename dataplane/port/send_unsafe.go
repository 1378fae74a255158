package port

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

// Frames that are sent with one system call, at most, and the longest that
// waits for others: copying it costs less than a system call.
const (
	sendAtOnce   = 32
	sendTogether = 2048
)

// outbox keeps frames that are to be sent together.
type outbox struct {
	n       int
	packets [sendAtOnce]int // that each frame is on a wire
	hdrs    [sendAtOnce][packet.VNetLen]byte
	iovs    [sendAtOnce][2]unix.Iovec
	msgs    [sendAtOnce]mmsghdr
	frames  [sendAtOnce][sendTogether]byte
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func newOutbox() *outbox {
	o := &outbox{}
	for i := range o.msgs {
		o.iovs[i] = [2]unix.Iovec{{Base: &o.hdrs[i][0], Len: packet.VNetLen}, {Base: &o.frames[i][0]}}
		o.msgs[i].hdr.Iov, o.msgs[i].hdr.Iovlen = &o.iovs[i][0], 2
	}
	return o
}

// send keeps a frame for flush, or sends it.
func (t *tap) send(v packet.VNet, frame []byte, packets int) error {
	o := t.box
	if len(frame) > sendTogether {
		t.push()
		return t.write(v, frame)
	}
	v.Marshal(o.hdrs[o.n][:])
	o.iovs[o.n][1].Len = uint64(copy(o.frames[o.n][:], frame))
	o.packets[o.n] = packets
	if o.n++; o.n == sendAtOnce {
		t.push()
	}
	return nil
}

// push sends what waits. These system calls never wait, so the scheduler need
// not know of them.
func (t *tap) push() {
	o := t.box
	for at := 0; at < o.n; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(t.out), uintptr(unsafe.Pointer(&o.msgs[at])), uintptr(o.n-at), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0: // of the first
			t.failed.packets += o.packets[at]
			t.failed.bytes += int(o.iovs[at][1].Len)
			at++
		default:
			at += int(n)
		}
	}
	o.n = 0
}

func (t *tap) write(v packet.VNet, frame []byte) error {
	v.Marshal(t.hdr[:])
	t.iov[0] = unix.Iovec{Base: &t.hdr[0], Len: packet.VNetLen}
	t.iov[1] = unix.Iovec{Base: &frame[0], Len: uint64(len(frame))}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(t.out), uintptr(unsafe.Pointer(&t.iov[0])), uintptr(len(t.iov)))
	t.iov[1].Base = nil
	if errno != 0 {
		return errno
	}
	return nil
}

func (t *tap) read(buf []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(t.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Pause sends what Send kept back, and lets frames gather for d, which is short.
func (p *Port) Pause(d time.Duration) {
	p.Flush()
	ts := unix.NsecToTimespec(int64(d))
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}
