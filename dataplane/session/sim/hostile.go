package sim

import "wirepatch/dataplane/packet"

// hostile sends a segment that contradicts what the engine has seen already.
func (s *run) hostile(e *endpoint) {
	seen := int64(s.arrived[e.dir].contiguous())
	if e.finished {
		seen = min(seen, e.finAt())
	}
	if e.state != open || seen < 2 {
		return
	}
	from := 1 + s.rng.Int64N(seen-1)
	n := 1 + s.rng.Int64N(min(seen-from, int64(e.room())))
	body := make([]byte, n, n+1)
	for i := range body {
		body[i] = '#'
	}
	// Over the edge of what was seen, with the true bytes there.
	if s.rng.IntN(2) == 0 && from+n == seen {
		for i := from + n; i < e.maxSent && i <= e.written && len(body) < e.room() && i < from+n+200; i++ {
			body = append(body, e.script[i-1])
		}
	}
	flags := byte(packet.ACK)
	if s.rng.IntN(8) == 0 && from+int64(len(body)) < seen {
		flags |= packet.FIN
	}
	g := segment{seq: e.isn + uint32(from), ack: e.peer + uint32(e.rcvNxt()), flags: flags, window: e.window(), opts: e.segmentOptions(false), body: body}
	s.emit(e, g.frame(&e.addr, &s.ends[e.dir.Other()].addr, s.vlan, 7), 0)
}

// inject forges a segment of e's from outside the receiver's window.
func (s *run) inject(e *endpoint) {
	// What is said of a session that is over passes, and it may be by the time that this arrives.
	if e.state != open || s.cfg.Lend && (!s.books.known || s.books.over || e.gotFIN && e.finished) {
		return
	}
	far := e.maxSent + 1<<22 + s.rng.Int64N(1<<30)
	if s.rng.IntN(2) == 0 {
		far = e.una - 1<<22 - s.rng.Int64N(1<<30)
	}
	g := segment{seq: e.isn + uint32(far), ack: e.peer + uint32(e.rcvNxt()), flags: packet.ACK, window: e.window(), opts: e.segmentOptions(false)}
	switch s.rng.IntN(3) {
	case 0:
		g.flags = packet.RST
	case 1:
		g.body = []byte("injected")
	case 2:
		g.body, g.seq = nil, e.isn+uint32(e.maxSent)
		g.ack += 1 << 24 // acknowledges what was never sent
	}
	s.emit(e, g.frame(&e.addr, &s.ends[e.dir.Other()].addr, s.vlan, 9), 0)
}
