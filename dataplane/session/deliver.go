package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"wirepatch/dataplane/packet"
)

// datagram takes the UDP datagram at hand, which came in the frames parts if it
// was put together from fragments.
//
//	to or from no service        as it came
//	checksum wrong               dropped: its receiver would not take it
//	bytes behind the datagram    cut off: receivers differ on whether they count
//	other                        what its flow's inspector says
func (e *Engine) datagram(from Side, v packet.VNet, parts [][]byte) {
	f := &e.in
	w, dir := e.flowOf(f)
	if w == nil {
		e.passOn(from, v, parts)
		return
	}
	if v.GSOType != packet.GSONone {
		e.stats.Malformed++ // several datagrams in one: the ports take them apart before
		return
	}
	if parts != nil {
		v = packet.VNet{}
	}
	if v.Flags&(packet.VNetNeedsCsum|packet.VNetDataValid) == 0 && !f.ValidUDPChecksum() {
		e.stats.BadChecksum++
		return
	}
	verdict := w.inspect(e, dir, f.Body())
	e.deliver(w, dir, from, v, parts, &verdict)
}

// passOn sends the frame at hand, or the fragments that it was made of, on as
// they came.
func (e *Engine) passOn(from Side, v packet.VNet, parts [][]byte) {
	if parts == nil {
		e.cfg.Output.Send(from^1, v, e.in.Data)
		return
	}
	e.sendAll(from^1, v, parts)
}

// inspect asks the flow's inspector, and turns its failure into the policy's
// work: then the next datagram has a new one.
func (w *flow) inspect(e *Engine, dir Direction, payload []byte) (v DatagramVerdict) {
	switch w.rest {
	case PassRest:
		return DatagramVerdict{}
	case BlockRest:
		return DatagramVerdict{Drop: true}
	}
	defer func() {
		if p := recover(); p != nil {
			w.inspector = nil
			v = DatagramVerdict{Undecodable: fmt.Sprintf("decoder failed: %v", p)}
		}
	}()
	if w.inspector == nil {
		w.inspector = w.svc.NewDatagram(w.conn)
	}
	return w.inspector.Datagram(dir, payload)
}

var errEdits = errors.New("decoder failed: edits out of order")

// deliver carries a verdict out.
func (e *Engine) deliver(w *flow, dir Direction, from Side, v packet.VNet, parts [][]byte, d *DatagramVerdict) {
	body, err := e.edited(d.Edits)
	switch {
	case err != nil:
		d.Undecodable = err.Error()
	case len(body) > maxPayload(&e.in):
		d.Undecodable, d.Drop = "the corrected datagram is longer than one can be", true
	}
	for _, ev := range d.Evidence {
		quiet := !e.tellings.may(e.now)
		if quiet {
			e.stats.Untold++
		}
		ev.ToClient, ev.Datagram = dir == ToClient, true
		e.cfg.Event(Event{Kind: Corrected, Service: w.svc.Name, Conn: w.conn, Evidence: ev, Quiet: quiet})
	}
	if d.Undecodable == "" {
		w.rest = max(w.rest, d.Rest)
	}
	if d.Undecodable != "" {
		d.Drop = d.Drop || w.svc.Exceed == PolicyReset
		w.cannot(e, d.Undecodable, d.Drop)
		body, d.Edits = e.in.Body(), nil
	}
	switch {
	case d.Drop:
		e.stats.Dropped++
		e.reply(w, dir, from, d.Reply)
	case len(d.Edits) > 0:
		if !w.edited {
			w.edited = true
			e.stats.Edited++
		}
		e.send(from^1, &e.in, body, parts)
	case e.in.Surplus > 0:
		e.send(from^1, &e.in, body, parts)
	default:
		e.passOn(from, v, parts)
	}
}

// cannot tells that a datagram could not be inspected, once for each flow.
func (w *flow) cannot(e *Engine, reason string, dropped bool) {
	kind := DatagramPassed
	if dropped {
		kind = DatagramDropped
	} else if !w.passed {
		w.passed = true
		e.stats.Passed++
	}
	if !w.told && e.tellings.may(e.now) {
		w.told = true
		e.cfg.Event(Event{Kind: kind, Service: w.svc.Name, Conn: w.conn, Reason: reason})
	}
}

// edited returns the payload at hand with edits made.
func (e *Engine) edited(edits []Edit) ([]byte, error) {
	body := e.in.Body()
	if len(edits) == 0 {
		return body, nil
	}
	var out []byte
	at := 0
	for _, x := range edits {
		if x.Start < at || x.End < x.Start || x.End > len(body) {
			return nil, errEdits
		}
		out = append(append(out, body[at:x.Start]...), x.With...)
		at = x.End
	}
	return append(out, body[at:]...), nil
}

// maxPayload is how much a datagram with f's headers can hold.
func maxPayload(f *packet.Frame) int {
	if f.V6 {
		return 65535 + 40 - (f.Payload - f.L3)
	}
	return 65535 - (f.Payload - f.L3)
}

// send sends a datagram with like's headers and this payload. Where it is too
// long for the port, or came in fragments, it leaves in fragments, whatever its
// sender said of fragmentation: it cannot know what we have made of it.
func (e *Engine) send(to Side, like *packet.Frame, payload []byte, parts [][]byte) {
	b := append(append(e.buf[:0], like.Data[:like.Payload]...), payload...)
	out := *like
	out.Data, out.End = b, len(b)
	out.PutUDPLength()
	mtu := e.mtu(to)
	if parts != nil {
		mtu = 0
		for _, p := range parts {
			mtu = max(mtu, len(p)-like.L3)
		}
	}
	if out.End-out.L3 <= mtu {
		e.cfg.Output.Send(to, packet.VNet{}, b)
		return
	}
	id, ok := out.FragmentID()
	if !ok {
		e.lastID++
		id = e.lastID
	}
	out.Fragments(mtu, id, nil, func(p []byte) { e.cfg.Output.Send(to, packet.VNet{}, p) })
}

// mtu is how long an IP packet may be that leaves through a port.
func (e *Engine) mtu(to Side) int {
	const usual, least = 1500, 576
	if e.cfg.MTU == nil {
		return usual
	}
	return max(e.cfg.MTU(to), least)
}

// amplification bounds replies: a reply's packet is at most so many times as
// long as the one that it answers (as in QUIC, RFC 9000, 8), so that forged
// senders gain little.
const amplification = 3

// reply answers the datagram at hand in its receiver's name. It does not where
// that could do harm:
//
//	to or from more than one host   nobody has this address alone
//	from port 0                     nobody waits for an answer
//	longer than amplification       the sender may be forged
func (e *Engine) reply(w *flow, dir Direction, to Side, payload []byte) {
	f := &e.in
	if len(payload) == 0 {
		return
	}
	b := append(e.hdr[:0], f.Data[:f.L3]...)
	copy(b, f.Data[6:12])
	copy(b[6:], f.Data[:6])
	src, dst := w.conn.Server, w.conn.Client
	if dir == ToClient {
		src, dst = dst, src
	}
	if f.Data[0]&1 != 0 || f.Data[6]&1 != 0 || src.Addr().IsMulticast() || dst.Addr().IsMulticast() || f.SrcPort == 0 {
		e.stats.Unanswered++
		return
	}
	const hops = 64
	if f.V6 {
		b = append(b, 0x60, 0, 0, 0, 0, 0, 17, hops)
		b = append(append(b, f.Dst[:]...), f.Src[:]...)
	} else {
		e.lastID++
		b = append(b, 0x45, 0, 0, 0, byte(e.lastID>>8), byte(e.lastID), 0, 0, hops, 17, 0, 0)
		b = append(append(b, f.Dst[12:]...), f.Src[12:]...)
	}
	l4 := len(b)
	b = binary.BigEndian.AppendUint16(b, f.DstPort)
	b = binary.BigEndian.AppendUint16(b, f.SrcPort)
	b = append(b, 0, 0, 0, 0)
	if len(b)-f.L3+len(payload) > amplification*(f.End-f.L3) {
		e.stats.Unanswered++
		return
	}
	var like packet.Frame
	like.Data, like.V6, like.L3, like.L4, like.Payload, like.End = b, f.V6, f.L3, l4, len(b), len(b)
	e.send(to, &like, payload, nil)
	e.stats.Replied++
}

// tellings bound how many events datagrams make: anybody can send any number,
// from any address, and each event is kept and written down.
type tellings struct {
	left int
	at   Instant // when left was last filled up
}

// So many at once, and one more in each interval.
const (
	tellAtOnce = 1000
	tellEvery  = Instant(20 * time.Millisecond)
)

// may says whether one more may be told now.
func (t *tellings) may(now Instant) bool {
	if t.at == 0 {
		t.left, t.at = tellAtOnce, now
	}
	if n := (now - t.at) / tellEvery; n > 0 {
		t.left, t.at = min(t.left+int(min(n, tellAtOnce)), tellAtOnce), t.at+n*tellEvery
	}
	if t.left == 0 {
		return false
	}
	t.left--
	return true
}
