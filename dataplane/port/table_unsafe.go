package port

import (
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// sessionTable is the map wp_sessions, for the loop alone: an edited request
// needs two system calls on it, which allocate nothing here.
type sessionTable struct {
	k    wireFlowKey
	w    wireSession
	attr elemAttr
}

// elemAttr is what union bpf_attr holds for one element of a map.
type elemAttr struct {
	fd         uint32
	_          uint32
	key, value uint64
	flags      uint64
}

const (
	cmdLookup = 1 // BPF_MAP_LOOKUP_ELEM
	cmdUpdate = 2 // BPF_MAP_UPDATE_ELEM
)

// do carries cmd out on the element k, whose value is w's. It never waits.
func (t *sessionTable) do(cmd uintptr, m *ebpf.Map, flags ebpf.MapUpdateFlags) error {
	t.attr = elemAttr{fd: uint32(m.FD()), key: uint64(uintptr(unsafe.Pointer(&t.k))), value: uint64(uintptr(unsafe.Pointer(&t.w))), flags: uint64(flags)}
	_, _, errno := unix.RawSyscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(&t.attr)), unsafe.Sizeof(t.attr))
	switch errno {
	case 0:
		return nil
	case unix.ENOENT:
		return ebpf.ErrKeyNotExist
	}
	return errno
}
