package port

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Flow is a TCP session by its two ends and the VLANs it is in.
type Flow struct {
	VLAN           uint32 // identifiers of the tags, 12 bits each, the innermost lowest; 0: none
	Client, Server netip.AddrPort
}

// Lane is what the program may do with one direction of a session.
type Lane struct {
	Pass     bool   // carry its segments, while the engine lives, without handing them up
	Bounded  bool   // only those whose payload ends at or before Limit
	Limit    uint32 // sequence number, as the sender counts
	Haste    bool   // begin even if segments overtake others that are still with the engine
	Seq, Ack uint32 // to be added to sequence and acknowledgement numbers
}

// FlowState is what the program knows of a session.
type FlowState struct {
	Lanes [2]Lane // to the server, to the client
	// Settled says that Seq and Ack hold for all that will come: then the
	// session goes on, translated, when the engine is gone and its service fails
	// open. Otherwise it is held back.
	Settled bool
}

// Mark is what a later engine must know to speak to a session's two ends.
type Mark struct {
	Server Side // the port it is behind
	// Link is what stands before the IP header in frames to the server:
	// addresses, tags, type. Empty: not known.
	Link []byte
	// Seq are sequence numbers that were sent, to the server and to the client.
	Seq [2]uint32
}

// maxLink is the longest Mark.Link that is kept: four tags.
const maxLink = 30

// Slot is a session's place in the memory shared with the program.
type Slot struct {
	p     *Port
	flow  Flow
	index uint32
	words *slotWords
}

// ErrNoSlot says that as many sessions as can be have a slot.
var ErrNoSlot = errors.New("no slot is left for another session")

// slots gives out indices of the map wp_slots.
type slots struct {
	memory *slotMemory
	free   []uint32
}

// NewSlot gives a session, which stands so, a slot. The program then knows the
// session by it. The slot outlives the process; Flows finds it again.
func (p *Port) NewSlot(f Flow, st FlowState) (*Slot, error) {
	n := len(p.slots.free)
	if n == 0 {
		return nil, ErrNoSlot
	}
	s := p.slot(f, p.slots.free[n-1])
	s.words.clear()
	s.Set(st) // before anybody knows of it: this process may end behind the next line
	if err := p.objs.WpFlows.Put(flowKey(f), s.index); err != nil {
		return nil, fmt.Errorf("give session a slot: %w", err)
	}
	p.slots.free = p.slots.free[:n-1]
	return s, nil
}

func (p *Port) slot(f Flow, index uint32) *Slot {
	return &Slot{p: p, flow: f, index: index, words: p.slots.memory.at(index)}
}

// Set tells the program how the session stands. It makes no system call.
func (s *Slot) Set(st FlowState) { s.words.set(st, s.p.engine.handed()) }

// Lend says whether the session is with the program (Session.Lent): then what it
// knows of the session counts, in place of what was Set.
func (s *Slot) Lend(on bool) { s.words.lend(on) }

// IsLent says whether it was, by whichever process.
func (s *Slot) IsLent() bool { return s.words.isLent() }

// Mark notes how to speak to the session's ends. It makes no system call.
func (s *Slot) Mark(m Mark) { s.words.mark(m) }

// Stands says whether the program still knows the session by this slot: not when
// another one has begun between its ends while there was no engine.
func (s *Slot) Stands() (bool, error) {
	var index uint32
	err := s.p.objs.WpFlows.Lookup(flowKey(s.flow), &index)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look slot up: %w", err)
	}
	return index == s.index, nil
}

// Marked returns what was last noted, by whichever process.
func (s *Slot) Marked() Mark { return s.words.marked() }

// State returns what was last set, by whichever process.
func (s *Slot) State() FlowState { return s.words.get() }

// Flow returns whose slot it is.
func (s *Slot) Flow() Flow { return s.flow }

// Carried counts the packets that the program carried for the engine.
func (s *Slot) Carried() uint64 { return s.words.carried() }

// Free gives the slot back; the program forgets the session.
func (s *Slot) Free() error {
	k := flowKey(s.flow)
	err := s.p.objs.WpFlows.Delete(&k) // first: an empty slot says that nothing may pass
	s.words.clear()
	s.p.slots.free = append(s.p.slots.free, s.index)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("take slot from session: %w", err)
	}
	return nil
}

// Flows returns the slots that an earlier process, or an earlier engine of this
// one, left. They are in use until they are freed.
func (p *Port) Flows() ([]*Slot, error) {
	var found []*Slot
	var k wireFlowKey
	var index uint32
	used := map[uint32]bool{}
	it := p.objs.WpFlows.Iterate()
	for it.Next(&k, &index) {
		if index < p.slots.memory.n && !used[index] {
			used[index] = true
			found = append(found, p.slot(flowOf(k), index))
		}
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("list flows: %w", err)
	}
	p.slots.free = p.slots.free[:0]
	for i := p.slots.memory.n; i > 0; i-- {
		if !used[i-1] {
			p.slots.free = append(p.slots.free, i-1)
		}
	}
	return found, nil
}

func flowKey(f Flow) wireFlowKey {
	k := wireFlowKey{Vlan: f.VLAN, Family: 6, Port: [2]uint16{networkOrder(f.Client.Port()), networkOrder(f.Server.Port())}}
	if f.Client.Addr().Unmap().Is4() {
		k.Family = 4
	}
	k.Addr = [2][16]uint8{f.Client.Addr().As16(), f.Server.Addr().As16()}
	return k
}

func flowOf(k wireFlowKey) Flow {
	end := func(i int) netip.AddrPort {
		a := netip.AddrFrom16(k.Addr[i])
		if k.Family == 4 {
			a = a.Unmap()
		}
		return netip.AddrPortFrom(a, networkOrder(k.Port[i])) // its own inverse
	}
	return Flow{k.Vlan, end(0), end(1)}
}
