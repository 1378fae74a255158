// Package port is the wire: the two Ethernet ports that the box sits between.
// A BPF program on each of them (bpf/wire.c) sends what concerns no protected
// service out of the other port, in the kernel, and hands the rest up to the
// engine, whose frames leave by the other port. There are two ways, and both
// ports take the same one:
//
//	tcx  for veth and virtio, whose frames are GSO packets: up through a TAP,
//	     one for each port, out through a packet socket; virtio-net headers
//	     say what is left to do (tap)
//	xdp  for physical ports, whose driver runs the program before it makes an
//	     skb: up and out through AF_XDP sockets, one for each queue (xsks)
//
// Program, links and maps are pinned, so that the wire outlives the process:
// when its heartbeat stops, the program follows each service's policy, and the
// next process adopts what it finds. The package knows nothing of sessions.
package port

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Side is one of the two wire ports.
type Side uint8

// The two wire ports.
const (
	A Side = iota // towards the clients
	B             // towards the servers
)

// Other returns the other port.
func (s Side) Other() Side { return s ^ 1 }

func (s Side) String() string { return string('a' + rune(s)) }

// StaleAfter is how old the heartbeat may be before the program gives the
// engine up (STALE_NS in bpf/wire.c).
const StaleAfter = 400 * time.Millisecond

// Config says what to open.
type Config struct {
	A, B     string // interface names of the wire ports
	PinDir   string // folder on a BPF file system
	Services []Service
	Attach   string // "tcx", "xdp"; else as suits the drivers
	MTU      int    // of both ports; 0: as they are
	Sessions uint32 // that the program may follow at once; 0: a million
}

// sessionCost is what a session that the program follows takes of the kernel's
// memory: its entry, and its share of the table's buckets.
const sessionCost = 288

// SessionsWithin is how many sessions the program may follow in so many bytes: a
// power of two, so that a machine always comes to the same number, whatever its
// kernel takes for itself, and finds the pinned table fit.
func SessionsWithin(memory int64) uint32 {
	n := uint32(1 << 20)
	for int64(n)*sessionCost > memory && n > 1<<12 {
		n /= 2
	}
	return n
}

// Port is the pair of wire ports, open. Recv, Send, Wait and Heartbeat belong
// to one goroutine; the other methods may be called by another one.
type Port struct {
	pinDir   string
	sessions uint32 // Config.Sessions
	sides    [2]side
	way      way
	reason   string // why it is not the way that was asked for, or that suits the drivers
	objs     wireObjects
	xdp      xdpTables
	links    [2]link.Link
	engine   *engineState
	slots    slots
	vetting  *vettingMemory
	struck   *struckRing
	table    sessionTable
	wake     int // eventfd

	struckLine []byte // of the latest Struck
	polled     []unix.PollFd
	upTo       [2]int          // where in polled the sides' end
	served     [2]atomic.Int32 // receive queues that have a socket, beside XDP
	notes      []string
	claim      struct { // what Drained has been told and not said on
		mark uint64
		at   time.Time
	}
}

// Open prepares the two interfaces, loads the program or adopts what an earlier
// process left pinned, and puts the program in force. Frames go up only after
// the first Heartbeat. Where XDP is to be and cannot be, it is tcx.
func Open(c Config) (_ *Port, err error) {
	p := &Port{pinDir: c.PinDir, sessions: c.Sessions, wake: -1}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if c.A == c.B {
		return nil, fmt.Errorf("open wire ports: both are %q; give two different interfaces", c.A)
	}
	for s, name := range map[Side]string{A: c.A, B: c.B} {
		if err := p.sides[s].open(name, c.MTU); err != nil {
			return nil, fmt.Errorf("open wire port %s (%s): %w", s, name, err)
		}
		p.notes = append(p.notes, p.sides[s].notes...)
	}
	if p.wake, err = newEvent(); err != nil {
		return nil, fmt.Errorf("make wake-up event: %w", err)
	}
	p.way, p.reason = choose(c.Attach, [2]string{driverOf(c.A), driverOf(c.B)})
	err = p.start(c.Services)
	if p.way == xdp && err != nil && !errors.Is(err, errHeld) {
		p.reason = fmt.Sprintf("XDP is not possible: %v", err)
		p.release()
		p.way = tcx
		err = p.start(c.Services)
	}
	if p.reason != "" {
		p.note("attached by tcx: %s", p.reason)
	}
	return p, err
}

// start puts the program in force in the way that p.way says.
func (p *Port) start(services []Service) error {
	for s := range p.sides {
		if err := p.carry(Side(s)); err != nil {
			return fmt.Errorf("open wire port %s (%s): %w", Side(s), p.sides[s].name, err)
		}
	}
	p.polled = p.watched()
	for i := range p.sides {
		p.served[i].Store(int32(len(p.sides[i].carrier.fds())))
	}
	if err := p.load(); err != nil {
		return err
	}
	if _, err := p.Flows(); err != nil {
		return err
	}
	if err := p.SetServices(services); err != nil {
		return err
	}
	return p.attach()
}

// carry opens what carries a side's frames.
func (p *Port) carry(s Side) error {
	d := &p.sides[s]
	if p.way == tcx {
		t, err := newTap(s, d.ifindex)
		if err != nil {
			return err
		}
		d.carrier = t
		return nil
	}
	if err := plainFrames(d.name); err != nil {
		return err
	}
	x, err := openXSKs(d.name, d.ifindex, d.mtu)
	if err != nil {
		return err
	}
	d.carrier = x
	return nil
}

// Notes tells, for the log, what Open found: adopted, new, or replaced.
func (p *Port) Notes() []string { return p.notes }

func (p *Port) note(format string, a ...any) { p.notes = append(p.notes, fmt.Sprintf(format, a...)) }

// Close lets go of the ports. Program, links and maps stay in force: what is
// unprotected goes on, what is protected follows its policy at once.
func (p *Port) Close() error {
	err := p.release()
	closeFD(&p.wake)
	return err
}

// release undoes start, but for what is pinned.
func (p *Port) release() error {
	var errs []error
	if p.engine != nil {
		p.engine.stop()
		errs = append(errs, p.engine.close())
		p.engine = nil
	}
	if p.slots.memory != nil {
		errs = append(errs, p.slots.memory.close())
		p.slots = slots{}
	}
	if p.vetting != nil {
		errs = append(errs, p.vetting.close())
		p.vetting = nil
	}
	if p.struck != nil {
		errs = append(errs, p.struck.close())
		p.struck = nil
	}
	for i := range p.links {
		if p.links[i] != nil {
			errs = append(errs, p.links[i].Close())
			p.links[i] = nil
		}
	}
	if p.objs.Wire != nil {
		errs = append(errs, p.objs.Close(), p.xdp.Close())
		p.objs, p.xdp = wireObjects{}, xdpTables{}
	}
	for i := range p.sides {
		p.sides[i].close()
	}
	return errors.Join(errs...)
}

// Counts are one port's figures since the program's maps were made; they
// survive the process. Packets are those of the wire: a GSO packet counts for
// its segments.
type Counts struct {
	RxPackets, RxBytes uint64
	Forwarded          uint64 // redirected in the kernel
	Bypassed           uint64 // of Forwarded: those of protected services, while the engine was gone
	Carried            uint64 // of Forwarded: those of protected services, for the engine
	Translated         uint64 // of Carried: those of edited sessions, in the numbers of each end
	HandedUp           uint64 // given to the engine
	DroppedClosed      uint64 // of a fail-closed service while the engine was gone
	DroppedEdited      uint64 // of a session with unsettled edits while the engine was gone
	DroppedShift       uint64 // of an edited session, whose numbers could not be translated
	DroppedTags        uint64 // with more VLAN tags than can be walked
	DroppedConfig      uint64 // came in on a port that is none of ours
	Struck             uint64 // requests that the program corrected itself
	Opened, Closed     uint64 // sessions that began, and ended, without the engine
	TxPackets, TxBytes uint64 // sent by the engine
	TxFailed           uint64 // that the kernel did not take from the engine
}

// Counters reads both ports' figures.
func (p *Port) Counters() ([2]Counts, error) {
	var out [2]Counts
	for i := range out {
		var cpus []wireCounts
		if err := p.objs.WpCounts.Lookup(uint32(i), &cpus); err != nil {
			return out, fmt.Errorf("read counters of wire port %s: %w", Side(i), err)
		}
		c := &out[i]
		for _, v := range cpus {
			c.RxPackets += v.RxPackets
			c.RxBytes += v.RxBytes
			c.Forwarded += v.Forwarded
			c.Bypassed += v.Bypassed
			c.HandedUp += v.HandedUp
			c.DroppedClosed += v.DropClosed
			c.DroppedEdited += v.DropEdited
			c.DroppedShift += v.DropShift
			c.Carried += v.Carried
			c.Translated += v.Translated
			c.DroppedTags += v.DropTags
			c.DroppedConfig += v.DropConfig
			c.Struck += v.Struck
			c.Opened += v.Opened
			c.Closed += v.Closed
		}
		c.TxPackets, c.TxBytes, c.TxFailed = p.engine.sent(Side(i))
	}
	return out, nil
}

// Handed returns a mark for Drained.
func (p *Port) Handed() uint64 { return p.engine.handed() }

// Drained says that both sides had nothing to receive at some time after Handed
// returned mark: lanes may begin, as nothing that went up before is overtaken.
// XDP counts a frame some time before it can be received: there, a mark is
// believed when it has been so for a while.
func (p *Port) Drained(mark uint64) {
	if p.way == xdp {
		now := time.Now()
		if p.claim.mark != 0 && now.Sub(p.claim.at) < settle {
			return
		}
		p.claim.mark, mark = mark, p.claim.mark
		p.claim.at = now
	}
	p.engine.drained(mark)
}

// settle is longer than a driver takes from running the program on a frame to
// the end of its batch, when the frames are in their rings.
const settle = 200 * time.Microsecond

// Ifindex returns a wire port's interface index.
func (p *Port) Ifindex(s Side) int { return p.sides[s].ifindex }

// Name returns a wire port's interface name.
func (p *Port) Name(s Side) string { return p.sides[s].name }

// ErrKernel says that the kernel lacks what the wire needs.
var ErrKernel = errors.New("the kernel lacks BPF or tcx; Linux 6.6 or later is needed")

func kernelError(err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("%w: %w", ErrKernel, err)
	}
	return err
}
