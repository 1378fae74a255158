package port

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// xsk is an AF_XDP socket on one receive queue of a port, with its memory and
// its rings (Documentation/networking/af_xdp.rst of the kernel).
type xsk struct {
	fd         int
	umem       umem
	fill       *ring[uint64]
	completion *ring[uint64]
	rx         *ring[unix.XDPDesc]
	tx         *ring[unix.XDPDesc] // nil: it only receives
	zeroCopy   bool
	spare      []uint64 // chunks for what goes out
}

// xskSizes are numbers of frame buffers, powers of two (send may be 0), the
// length of the longest frame, and whether the driver is to share the memory.
type xskSizes struct {
	receive, send, frame int
	share                bool
}

// inOne says whether a frame never needs a second buffer: what the kernel writes
// begins XDP_PACKET_HEADROOM, 256 bytes, into one.
func (s xskSizes) inOne() bool { return s.frame <= chunkSize-256 }

// busyFor is how long a queue whose last owner has just died may stay taken:
// the kernel lets go of it in the background.
const busyFor = 5 * time.Second

// ways are how a socket may be bound, the best first. Zero copy is for frames that
// need one buffer: of one in several, the kernel's way to the other port takes
// along the first only (xdp_convert_zc_to_xdp_frame). Without XDP_USE_SG it drops
// those that come in, and never gives the buffers back in which one is to go out.
func (s xskSizes) ways() []uint16 {
	ways := []uint16{unix.XDP_COPY | unix.XDP_USE_SG}
	if s.inOne() {
		ways = append(ways, unix.XDP_COPY)
	}
	if s.inOne() && s.share {
		ways = append([]uint16{unix.XDP_ZEROCOPY}, ways...)
	}
	return ways
}

// openXSK opens the socket of a queue in the best way that the driver can.
func openXSK(ifindex, queue int, sizes xskSizes) (*xsk, error) {
	var err error
	for end := time.Now().Add(busyFor); ; time.Sleep(10 * time.Millisecond) {
		for _, flags := range sizes.ways() {
			x := &xsk{fd: -1}
			if err = x.open(ifindex, queue, sizes, flags|unix.XDP_USE_NEED_WAKEUP); err == nil {
				return x, nil
			}
			x.close()
			if errors.Is(err, unix.EBUSY) {
				break
			}
		}
		if !errors.Is(err, unix.EBUSY) {
			return nil, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%w: %w", errHeld, err)
		}
	}
}

func (x *xsk) open(ifindex, queue int, sizes xskSizes, flags uint16) (err error) {
	if x.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open AF_XDP socket: %w", err)
	}
	if x.umem, err = newUmem(sizes.receive + sizes.send); err != nil {
		return err
	}
	if err := x.umem.register(x.fd); err != nil {
		return fmt.Errorf("register frame buffers: %w", err)
	}
	if err := x.mapRings(sizes); err != nil {
		return err
	}
	// Before it is bound: a driver without copies fills its own ring when it is, and
	// one that finds nothing then looks again late, or when it is told to.
	for i := range sizes.receive {
		x.fill.put(uint64(i * chunkSize))
	}
	x.fill.publish()
	if sizes.send > 0 {
		if err := unix.SetsockoptInt(x.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer); err != nil {
			return fmt.Errorf("set send buffer: %w", err)
		}
	}
	if err := unix.Bind(x.fd, &unix.SockaddrXDP{Flags: flags, Ifindex: uint32(ifindex), QueueID: uint32(queue)}); err != nil {
		return fmt.Errorf("bind to queue %d: %w", queue, err)
	}
	var options uint32
	if err := getXDP(x.fd, unix.XDP_OPTIONS, unsafe.Pointer(&options), unsafe.Sizeof(options)); err != nil {
		return fmt.Errorf("ask for options: %w", err)
	}
	x.zeroCopy = options&unix.XDP_OPTIONS_ZEROCOPY != 0
	for i := range sizes.send {
		x.spare = append(x.spare, uint64((sizes.receive+i)*chunkSize))
	}
	return nil
}

func (x *xsk) mapRings(sizes xskSizes) (err error) {
	var at unix.XDPMmapOffsets
	if err := getXDP(x.fd, unix.XDP_MMAP_OFFSETS, unsafe.Pointer(&at), unsafe.Sizeof(at)); err != nil {
		return fmt.Errorf("ask for places of rings: %w", err)
	}
	in, out := uint32(sizes.receive), uint32(max(sizes.send, 1)) // the kernel wants a completion ring in any case
	if x.fill, err = mapRing[uint64](x.fd, unix.XDP_UMEM_FILL_RING, in, unix.XDP_UMEM_PGOFF_FILL_RING, at.Fr); err != nil {
		return err
	}
	if x.completion, err = mapRing[uint64](x.fd, unix.XDP_UMEM_COMPLETION_RING, out, unix.XDP_UMEM_PGOFF_COMPLETION_RING, at.Cr); err != nil {
		return err
	}
	if x.rx, err = mapRing[unix.XDPDesc](x.fd, unix.XDP_RX_RING, in, unix.XDP_PGOFF_RX_RING, at.Rx); err != nil {
		return err
	}
	if sizes.send > 0 {
		x.tx, err = mapRing[unix.XDPDesc](x.fd, unix.XDP_TX_RING, out, unix.XDP_PGOFF_TX_RING, at.Tx)
	}
	return err
}

// kick has the kernel send what is in the tx ring. It may say that it could not
// send all yet (EAGAIN).
func (x *xsk) kick() error {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(x.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (x *xsk) statistics() (s unix.XDPStatistics, err error) {
	err = getXDP(x.fd, unix.XDP_STATISTICS, unsafe.Pointer(&s), unsafe.Sizeof(s))
	return s, err
}

func (x *xsk) close() {
	closeFD(&x.fd)
	x.fill.close()
	x.completion.close()
	x.rx.close()
	x.tx.close()
	x.umem.close()
}
