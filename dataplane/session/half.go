package session

import (
	"wirepatch/dataplane/packet"
)

// half is one direction of a session: what one end, the sender, sends to the
// other, the receiver. Offsets count from the sender's SYN (0) in 64 bits.
type half struct {
	dir   Direction
	to    Side // the port the receiver is behind
	known bool // isn is
	heard bool // the sender was, since the session is known
	isn   uint32
	hs    packet.Handshake // the sender's
	scale uint8            // of the windows that the sender advertises

	// Input offsets.
	top  int64 // behind the highest byte seen: what unwrapping refers to
	next int64 // everything below arrived, or passes unseen: where the decoder goes on
	rel  int64 // everything below is decided
	fin  int64 // of the sender's FIN, -1: none seen in order
	// acked is up to where we acknowledged to the sender ourselves.
	acked int64

	pend  []byte  // the bytes [rel,next)
	queue []held  // frames with bytes of [rel,next), or not sent yet
	ahead []held  // frames beyond next, sorted
	held  Instant // time since when pend is waiting; 0: it is not
	told  int64   // the highest input offset acknowledged to the sender
	owed  bool    // the sender must be told of a deletion

	// Output offsets.
	edits  editMap
	store  store
	snd    int64 // stored bytes below were sent at least once
	sent   int64 // behind the highest byte (or FIN) sent
	fast   int64 // the ports may have sent what is below
	una    int64 // the receiver acknowledged what is below
	edge   int64 // the receiver's window ends here
	reach  int64 // the farthest that edge ever was
	window uint16
	raw    int64 // bytes below may have passed unseen, so are not all stored
	answer int64 // what is below and not acknowledged is ours to retransmit
	finOut int64 // of a FIN that we send or answer for ourselves, -1: none

	spoke   bool    // a frame went to the receiver since the sender's last one came
	narrow  bool    // long segments seem not to get through
	path    int     // payload bytes of the longest segment that gets through, by an ICMP error; 0: not told
	blocked bool    // stored bytes wait for the receiver's window
	cwnd    int64   // bytes that we send on our own before they are acknowledged
	rto     int64   // present retransmission time-out, ns
	resend  Instant // time of the next retransmission; 0: none
	recover int64   // what was sent below is to be retransmitted as far as it was ours
	again   int64   // what is below has been
	tries   int
	dups    int

	vouched *vouched // nil: the engine has seen all that is on its way

	stamped   bool   // the sender's timestamps are known
	stampIn   uint32 // its latest, as received
	stampOut  uint32 // the latest that the receiver was sent
	sentStamp bool   // stampOut is valid
	header    []byte // Ethernet and IP header of the sender's frames
	l3        int    // where in header the IP header begins
	v6        bool
	ports     [4]byte // the TCP header's first four bytes
}

// held is a frame that was kept, or the one at hand.
type held struct {
	f         packet.Frame
	v         packet.VNet
	off, end  int64 // input offsets of its payload
	skip      int64 // what is below in it was seen already, or passes unseen
	fin       bool
	kept      bool // f.Data is our copy
	delivered bool // part of it has been sent
}

// offset unwraps a sequence number of the sender.
func (h *half) offset(seq uint32) int64 {
	return h.top + int64(int32(seq-(h.isn+uint32(h.top))))
}

// outOffset unwraps an acknowledgement number of the receiver.
func (h *half) outOffset(ack uint32) int64 {
	return h.una + int64(int32(ack-(h.isn+uint32(h.una))))
}

// seq is the sequence number of an output (or input) offset.
func (h *half) seq(off int64) uint32 { return h.isn + uint32(off) }

// minMSS is what every path takes (RFC 9293, 3.7.1), by whether it is IPv6.
func minMSS(v6 bool) int {
	if v6 {
		return 1220
	}
	return 536
}

// mss is how many payload bytes a segment to the receiver may have, given its
// header's options. peer is the receiver's half.
func (h *half) mss(peer *half, options int) int {
	m := int(peer.hs.MSS)
	if m == 0 {
		m = minMSS(h.v6)
	}
	if h.narrow {
		m = min(m, minMSS(h.v6))
	}
	if h.path > 0 {
		m = min(m, h.path)
	}
	return max(m-options, 64)
}

// ackable is up to where the sender may be told that its bytes arrived: all
// that came in order, when the engine can answer for it; else what the
// receiver has acknowledged.
func (h *half) ackable() int64 {
	got := h.edits.inAcked(h.una)
	if h.vouched != nil {
		return max(got, h.vouched.from+int64(len(h.vouched.b)))
	}
	if h.una < h.raw || h.next > h.top {
		return got
	}
	return max(got, h.next)
}

// confirmed is up to where the sender was told, or is told next, that its bytes
// arrived.
func (h *half) confirmed() int64 {
	in := h.edits.inAcked(h.una)
	if h.acked > 0 { // else nothing was: a session picked up may begin beyond what its receiver has
		in = max(in, h.acked)
	}
	return in
}

// memory is the number of bytes kept for this half.
func (h *half) memory() int {
	n := len(h.pend) + h.store.bytes
	if h.vouched != nil {
		n += len(h.vouched.b)
	}
	for i := range h.queue {
		if h.queue[i].kept {
			n += len(h.queue[i].f.Data)
		}
	}
	for i := range h.ahead {
		n += len(h.ahead[i].f.Data)
	}
	return n
}

// learn remembers the headers that frames of this sender have, for segments of
// our own, and its timestamp.
func (h *half) learn(f *packet.Frame) {
	h.heard = true
	h.header = append(h.header[:0], f.Data[:f.L4]...)
	h.l3 = f.L3
	h.v6 = f.V6
	copy(h.ports[:], f.Data[f.L4:])
	if at := packet.TimestampAt(f.Options()); at >= 0 {
		v := be32(f.Options()[at:])
		if !h.stamped || int32(v-h.stampIn) > 0 {
			h.stampIn, h.stamped = v, true
		}
	}
}
