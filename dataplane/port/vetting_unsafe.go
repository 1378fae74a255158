package port

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// vettingMemory is the memory of the maps wp_vetting and wp_needles, shared
// with the program.
type vettingMemory struct {
	words, texts []byte
	w            *vettingWords
}

// vettingWords is struct vetting of bpf/scan.h.
type vettingWords struct {
	flags, active, unmarked uint32
	long                    [2]uint16
	bytes                   [256]uint16
	keys                    [look/4 + 1]uint64
	strikes                 [2]strikes
}

var _ = [1]struct{}{}[unsafe.Sizeof(vettingWords{})-unsafe.Sizeof(wireVetting{})]

// look is how many bytes of a message the program looks at (LOOK).
const look = 2048

const (
	vetRequests  = 1
	vetResponses = 2
	vetKeep      = 4
)

func mapVetting(vetting, texts *ebpf.Map) (*vettingMemory, error) {
	m := &vettingMemory{}
	var err error
	if m.words, err = mapWhole(vetting); err != nil {
		return nil, err
	}
	if m.texts, err = mapWhole(texts); err != nil {
		unix.Munmap(m.words)
		return nil, err
	}
	m.w = (*vettingWords)(unsafe.Pointer(&m.words[0]))
	m.w.bytes = bytesAre
	if m.w.keys[0] == 0 { // new: an earlier engine's keys serve sessions that are under way
		var b [8]byte
		for i := range m.w.keys {
			rand.Read(b[:])
			m.w.keys[i] = binary.LittleEndian.Uint64(b[:]) | 1
		}
	}
	return m, nil
}

func mapWhole(m *ebpf.Map) ([]byte, error) {
	page := unix.Getpagesize()
	size := (int(m.MaxEntries())*int((m.ValueSize()+7)&^7) + page - 1) / page * page
	return unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (m *vettingMemory) close() error {
	err := unix.Munmap(m.words)
	if e := unix.Munmap(m.texts); err == nil {
		err = e
	}
	return err
}

// needles returns one of the four sets that the program may read.
func (m *vettingMemory) needles(i uint32) *needles {
	return (*needles)(unsafe.Pointer(&m.texts[uintptr(i)*unsafe.Sizeof(needles{})]))
}

// set puts v in force: the pair that is not is written, then they are swapped.
func (m *vettingMemory) set(v Vetting) {
	pair := 1 - atomic.LoadUint32(&m.w.active)
	for dir, texts := range v.Texts {
		n := m.needles(pair*2 + uint32(dir))
		*n = needles{}
		for _, t := range texts {
			n.add(t)
		}
	}
	m.w.strikes[pair].set(v.Strike)
	var flags uint32
	if v.Requests {
		flags |= vetRequests
	}
	if v.Responses {
		flags |= vetResponses
	}
	if v.Keep {
		flags |= vetKeep
	}
	// What is forbidden now must not be allowed by the old texts, nor the new by them.
	atomic.StoreUint32(&m.w.flags, atomic.LoadUint32(&m.w.flags)&flags)
	for dir, n := range v.Long {
		if n = min(n, look+1); n > 0 && (m.w.long[dir] == 0 || n < int(m.w.long[dir])) {
			m.w.long[dir] = uint16(n)
		}
	}
	atomic.StoreUint32(&m.w.active, pair)
	for dir, n := range v.Long {
		m.w.long[dir] = uint16(min(n, look+1))
	}
	atomic.StoreUint32(&m.w.flags, flags)
}

// sum is sum_up of bpf/scan.h.
func (m *vettingMemory) sum(b []byte) uint64 {
	s := uint64(len(b)) * m.w.keys[0]
	var word [4]byte
	for i := 0; i < len(b); i += 4 {
		word = [4]byte{}
		copy(word[:], b[i:])
		s += uint64(binary.LittleEndian.Uint32(word[:])) * m.w.keys[i/4+1]
	}
	return s
}

// Sum is the keyed sum that the program has noted of a message in Stream.Sum.
// b must not be longer than a Stream.Size was.
func (p *Port) Sum(b []byte) uint64 { return p.vetting.sum(b) }

// SetVetting says which messages the program may let go on by itself.
func (p *Port) SetVetting(v Vetting) { p.vetting.set(v) }

// SetUnmarked says whether the engine has sessions that the program could not
// be told of (Take).
func (p *Port) SetUnmarked(some bool) {
	var v uint32
	if some {
		v = 1
	}
	atomic.StoreUint32(&p.vetting.w.unmarked, v)
}

func appendKey(b []byte, k *wireFlowKey) ([]byte, error) {
	b, err := binary.Append(b, binary.NativeEndian, k)
	if err != nil {
		return nil, fmt.Errorf("take session: %w", err)
	}
	return b, nil
}
