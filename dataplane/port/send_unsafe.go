package port

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

func (t *tap) send(v packet.VNet, frame []byte) error {
	v.Marshal(t.hdr[:])
	t.iov[0] = unix.Iovec{Base: &t.hdr[0], Len: packet.VNetLen}
	t.iov[1] = unix.Iovec{Base: &frame[0], Len: uint64(len(frame))}
	_, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(t.out), uintptr(unsafe.Pointer(&t.iov[0])), uintptr(len(t.iov)))
	t.iov[1].Base = nil
	if errno != 0 {
		return errno
	}
	return nil
}
