package port

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// chunkSize is the size of one buffer of a umem. A frame that is longer lies in
// several.
const chunkSize = 4096

// umem is the memory that an AF_XDP socket shares with the kernel: chunks that
// the kernel fills with what comes in, then chunks for what goes out.
type umem struct{ mem []byte }

func newUmem(chunks int) (umem, error) {
	mem, err := unix.Mmap(-1, 0, chunks*chunkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return umem{}, fmt.Errorf("map %d frame buffers: %w", chunks, err)
	}
	return umem{mem}, nil
}

// register gives the memory to a socket.
func (u umem) register(fd int) error {
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&u.mem[0]))), Len: uint64(len(u.mem)), Size: chunkSize}
	return setXDP(fd, unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg))
}

func (u umem) close() {
	if u.mem != nil {
		unix.Munmap(u.mem)
	}
}

// setXDP is setsockopt of level SOL_XDP.
func setXDP(fd, option int, value unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option), uintptr(value), size, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// getXDP is getsockopt of level SOL_XDP.
func getXDP(fd, option int, value unsafe.Pointer, size uintptr) error {
	n := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option), uintptr(value), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	if uintptr(n) != size {
		return fmt.Errorf("the kernel answers with %d bytes, want %d", n, size)
	}
	return nil
}
