package port

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// Sighting is something that a server behind the box said on the wire: that it
// takes connections at this address (Begins), and then pieces of the beginning
// of one of them.
type Sighting struct {
	UDP            bool
	Begins         bool // of a TCP session; a datagram always does
	Server, Client netip.AddrPort
	Offset         uint32 // of Data in what the server says in this session
	Data           []byte // valid until the next Next
}

// Watch sees a sample of what servers say first (bpf/watch.h): each service every
// 30 seconds at most, one session of it, and 250 frames a second in all. It takes
// part in no decision about a frame.
type Watch struct {
	own    io.Closer // what is only there for the watch; nil: nothing
	reader *ringbuf.Reader
	record ringbuf.Record
}

// NewWatch begins to look at port b. It is to be called once the ports are open.
// Beside tcx it puts a program of its own ahead of the other one.
func (p *Port) NewWatch() (*Watch, error) {
	w := &Watch{}
	sightings := p.xdp.Sightings
	if p.way == tcx {
		var objs watchObjects
		if err := loadWatchObjects(&objs, nil); err != nil {
			return nil, fmt.Errorf("load the program that watches: %w", kernelError(err))
		}
		defer objs.Close() // the link keeps the program, and that its maps
		l, err := link.AttachTCX(link.TCXOptions{Interface: p.sides[B].ifindex, Program: objs.Watch, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
		if err != nil {
			return nil, fmt.Errorf("attach the program that watches: %w", kernelError(err))
		}
		w.own, sightings = l, objs.WpSightings
	}
	var err error
	if w.reader, err = ringbuf.NewReader(sightings); err != nil {
		w.Close()
		return nil, fmt.Errorf("watch what servers say: %w", err)
	}
	return w, nil
}

// Close ends the watch, and Next.
func (w *Watch) Close() (err error) {
	if w.own != nil {
		err = w.own.Close()
	}
	if w.reader != nil {
		err = errors.Join(err, w.reader.Close())
	}
	return err
}

// Next waits for the next sighting; after Close it is os.ErrClosed.
func (w *Watch) Next() (Sighting, error) {
	for {
		if err := w.reader.ReadInto(&w.record); err != nil {
			return Sighting{}, err
		}
		if s, ok := parseSighting(w.record.RawSample); ok {
			return s, nil
		}
	}
}

// parseSighting reads struct sighting of bpf/watch.c.
func parseSighting(b []byte) (s Sighting, ok bool) {
	const head = 48
	if len(b) < head {
		return s, false
	}
	n := binary.NativeEndian.Uint32(b[44:])
	if int(n) > len(b)-head {
		return s, false
	}
	end := func(i int) netip.AddrPort {
		a := netip.AddrFrom16([16]byte(b[8+16*i:]))
		return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[4+2*i:]))
	}
	return Sighting{UDP: b[1] == 17, Begins: b[2] != 0, Server: end(0), Client: end(1), Offset: binary.NativeEndian.Uint32(b[40:]), Data: b[head : head+int(n)]}, true
}
