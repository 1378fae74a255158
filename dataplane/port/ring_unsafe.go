package port

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is one of the four rings of an AF_XDP socket, shared with the kernel. Of
// fill and tx we are the producer, of rx and completion the consumer. The
// counters run on and wrap; entries of T are at counter & mask.
type ring[T uint64 | unix.XDPDesc] struct {
	mem                []byte
	producer, consumer *uint32
	flags              *uint32
	entries            []T
	mask               uint32
	mine               uint32 // our counter; published by publish
	theirs             uint32 // the kernel's, when last looked at
}

// mapRing sets a ring's size, a power of two, and maps it.
func mapRing[T uint64 | unix.XDPDesc](fd, option int, size uint32, pageOffset int64, at unix.XDPRingOffset) (*ring[T], error) {
	if err := setXDP(fd, option, unsafe.Pointer(&size), unsafe.Sizeof(size)); err != nil {
		return nil, fmt.Errorf("set size of ring %d: %w", option, err)
	}
	var one T
	mem, err := unix.Mmap(fd, pageOffset, int(at.Desc)+int(size)*int(unsafe.Sizeof(one)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map ring %d: %w", option, err)
	}
	word := func(off uint64) *uint32 { return (*uint32)(unsafe.Pointer(&mem[off])) }
	return &ring[T]{mem: mem, producer: word(at.Producer), consumer: word(at.Consumer), flags: word(at.Flags),
		entries: unsafe.Slice((*T)(unsafe.Pointer(&mem[at.Desc])), size), mask: size - 1}, nil
}

func (r *ring[T]) close() {
	if r != nil {
		unix.Munmap(r.mem)
	}
}

// wakeup says that the kernel waits for a system call.
func (r *ring[T]) wakeup() bool { return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0 }

// room is how many entries we may produce.
func (r *ring[T]) room() uint32 {
	r.theirs = atomic.LoadUint32(r.consumer)
	return uint32(len(r.entries)) - (r.mine - r.theirs)
}

// put produces an entry, for which there must be room. The kernel sees it after
// publish.
func (r *ring[T]) put(v T) {
	r.entries[r.mine&r.mask] = v
	r.mine++
}

func (r *ring[T]) publish() { atomic.StoreUint32(r.producer, r.mine) }

// waiting is how many entries we may consume.
func (r *ring[T]) waiting() uint32 {
	if r.theirs == r.mine {
		return r.latest()
	}
	return r.theirs - r.mine
}

// latest is waiting, with what has come since it was last called.
func (r *ring[T]) latest() uint32 {
	r.theirs = atomic.LoadUint32(r.producer)
	return r.theirs - r.mine
}

// look reads the entry i places ahead without consuming it.
func (r *ring[T]) look(i uint32) T { return r.entries[(r.mine+i)&r.mask] }

// consume gives n entries back to the kernel.
func (r *ring[T]) consume(n uint32) {
	r.mine += n
	atomic.StoreUint32(r.consumer, r.mine)
}
