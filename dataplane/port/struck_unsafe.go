package port

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Struck is a request that the program has corrected itself: without a line.
type Struck struct {
	Flow  Flow
	First bool   // the session had not been edited before
	Line  []byte // what was taken out; valid until the next NextStruck
}

// struckRing is the map wp_struck (bpf/strike.h), a BPF ring buffer: a page with
// our position, one with the program's, and the records, mapped twice in a row so
// that each lies in one piece. Before each stand its length, with two flags above
// it, and a word for the kernel.
type struckRing struct {
	ours, theirs []byte
	read, wrote  *uint64
	records      []byte
	mask         uint64
}

const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHeader  = 8
)

func mapStruck(m *ebpf.Map) (*struckRing, error) {
	page, size := unix.Getpagesize(), int(m.MaxEntries())
	ours, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map position: %w", err)
	}
	theirs, err := unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		unix.Munmap(ours)
		return nil, fmt.Errorf("map records: %w", err)
	}
	return &struckRing{ours: ours, theirs: theirs, read: (*uint64)(unsafe.Pointer(&ours[0])), wrote: (*uint64)(unsafe.Pointer(&theirs[0])),
		records: theirs[page:], mask: uint64(size) - 1}, nil
}

func (r *struckRing) close() error {
	err := unix.Munmap(r.ours)
	if e := unix.Munmap(r.theirs); err == nil {
		err = e
	}
	return err
}

// next hands the oldest record to f and gives its room back. It says whether
// there was one.
func (r *struckRing) next(f func(record []byte)) bool {
	at := atomic.LoadUint64(r.read)
	if at >= atomic.LoadUint64(r.wrote) {
		return false
	}
	b := r.records[at&r.mask:]
	head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&b[0])))
	if head&ringBusy != 0 {
		return false
	}
	n := uint64(head &^ ringDiscard)
	if head&ringDiscard == 0 {
		f(b[ringHeader : ringHeader+n])
	}
	atomic.StoreUint64(r.read, at+(ringHeader+n+7)&^7)
	return true
}

// NextStruck tells of the next request that the program has corrected itself, an
// earlier process's first; false: there is none. Only the loop may call it.
func (p *Port) NextStruck() (s Struck, ok bool) {
	for !ok && p.struck.next(func(b []byte) { s, ok = p.parseStruck(b) }) {
	}
	return s, ok
}

// parseStruck reads struct struck of bpf/strike.h.
func (p *Port) parseStruck(b []byte) (s Struck, ok bool) {
	const key, head = int(unsafe.Sizeof(wireFlowKey{})), int(unsafe.Offsetof(wireStruck{}.Line))
	if len(b) < head {
		return s, false
	}
	n := binary.NativeEndian.Uint32(b[head-4:])
	if int(n) > len(b)-head {
		return s, false
	}
	p.struckLine = append(p.struckLine[:0], b[head:head+int(n)]...)
	k := (*wireFlowKey)(unsafe.Pointer(&b[0]))
	return Struck{Flow: flowOf(*k), First: binary.NativeEndian.Uint32(b[key:]) != 0, Line: p.struckLine}, true
}
