package session

import (
	"net/netip"

	"wirepatch/dataplane/packet"
)

// other passes on what is no TCP segment. An ICMP error about a segment of a
// session quotes the sequence number that the segment had behind the engine;
// its sender would not know it, and would ignore the error (RFC 5927, 4.1). So
// path MTU discovery needs it translated. Nothing is kept of such errors.
//
//	no session's, or of one whose numbers are the same   as it came
//	checksum wrong                                       dropped
//	other                                                translated
func (e *Engine) other(from Side, v packet.VNet, frame []byte) {
	var q packet.Quote
	if q.Parse(frame) == nil {
		if seq := e.quotedSeq(from, &q); seq != q.Seq() {
			partial := v.Flags&packet.VNetNeedsCsum != 0
			if !partial && !q.ValidChecksum() {
				e.stats.BadChecksum++
				return
			}
			q.PutSeq(seq, partial)
			e.stats.Quoted++
		}
	}
	e.cfg.Output.Send(from^1, v, frame)
}

// quotedSeq is the quoted sequence number as the quoted segment's sender counts.
func (e *Engine) quotedSeq(from Side, q *packet.Quote) uint32 {
	k := key{q.Src, q.Dst, q.SrcPort, q.DstPort, q.VLAN}.ordered()
	if s := e.sessions[k]; s != nil {
		if !s.lent {
			return s.quotedSeq(from, q)
		}
		if s = e.recall(s); s != nil {
			defer e.account(s, s.memory())
			return s.quotedSeq(from, q)
		}
	}
	if e.cfg.Below != nil {
		c, dir := Conn{netip.AddrPortFrom(netip.AddrFrom16(q.Src).Unmap(), q.SrcPort), netip.AddrPortFrom(netip.AddrFrom16(q.Dst).Unmap(), q.DstPort)}, ToServer
		if e.match(TCP, q.Dst, q.DstPort) == nil {
			c, dir = Conn{c.Server, c.Client}, ToClient
		}
		if r, known := e.cfg.Below.Look(c, q.VLAN); known && r.Edited {
			return q.Seq() - r.Half[dir].Delta
		}
	}
	if l, ok := e.legacies[k]; ok {
		dir := ToClient
		if e.match(TCP, q.Dst, q.DstPort) != nil {
			dir = ToServer
		}
		return q.Seq() - uint32(l.deltas[dir])
	}
	return q.Seq()
}

func (s *Session) quotedSeq(from Side, q *packet.Quote) uint32 {
	d := s.direction(&packet.Frame{Src: q.Src, SrcPort: q.SrcPort})
	h := &s.half[d]
	if !h.known || from != h.to {
		return q.Seq() // what is quoted has not come past the engine
	}
	out := h.outOffset(q.Seq())
	in := h.edits.inAcked(out)
	if out >= h.una && out <= max(h.sent, h.fast) {
		h.learnPath(q)
		// What was acknowledged to the sender in advance it would no longer know.
		if h.acked > 0 {
			in = max(in, min(h.acked, h.top))
		}
	}
	return h.seq(in)
}

// learnPath makes the segments that the engine itself builds fit the path.
func (h *half) learnPath(q *packet.Quote) {
	const tcpHeader, v4Header, v6Header = 20, 20, 40
	mtu := q.MTU()
	if mtu == 0 {
		return
	}
	payload := mtu - tcpHeader - v4Header
	if q.V6 {
		payload = mtu - tcpHeader - v6Header
	}
	if h.path == 0 || payload < h.path {
		h.path = max(payload, minMSS(q.V6))
	}
}
