package websocket

import (
	"bytes"

	"wirepatch/dataplane/session"
)

// A fixed server that refuses a message has answered those before it by then. So
// the reply of ours waits until the server has: in the place of the refused message
// it is sent a Ping, whose Pong comes behind its answers (RFC 6455 section 5.5.2),
// and the reply stands in the place of the Pong.

// fence is a refusal that waits for the Pong.
type fence struct {
	reply []byte
	close bool // the session ends behind it
	last  bool // it stands in the place of the server's own Close, not of the Pong
}

// fenceText is what the Ping holds, and the Pong repeats.
const fenceText = "fence"

// refuse answers in the server's place: nothing more reaches the server but the
// Close with which the client answers.
func (d *Decoder) refuse(o outcome) {
	t := &d.turn
	h, back := t.h, &d.halves[session.ToClient]
	d.halves[session.ToServer].refused = true
	d.halves[session.ToServer].clear() // what it holds is looked at frame by frame from its beginning
	switch {
	case h == back:
		h.refused, d.fence = true, nil
		h.clear()
		t.v.Edit(t.pos, t.pos, o.reply)
		if o.close {
			t.v.End = session.Close
		}
	case !back.saidClose: // else nobody waits for another
		d.fence = &fence{o.reply, o.close, false}
		t.v.Edit(t.pos, t.pos, makeFrame(header{fin: true, opcode: opPing, masked: true}, []byte(fenceText)))
	}
}

// await is for a message that was made invalid: the server refuses it by itself, and
// the reply, where there is one, stands in the place of its Close.
func (d *Decoder) await(o *outcome) {
	h, back := d.turn.h, &d.halves[session.ToClient]
	h.refused = true
	if o.refused && h != back && !back.saidClose {
		d.fence = &fence{o.reply, o.close, true}
	}
}

// stepFence looks at a control frame of the server's. seen: it was the Pong, or is
// not whole yet.
func (d *Decoder) stepFence(f header) (seen, going bool) {
	t := &d.turn
	h := t.h
	if f.opcode == opClose && d.fence != nil && d.fence.last {
		end := h.pos + f.size + int(min(f.length, 125))
		if len(t.rest()) < end {
			return true, false
		}
		d.consume(end, true)
		h.clear()
		h.saidClose = true
		d.answer()
		return true, t.v.End == session.Continue
	}
	if f.opcode == opClose {
		h.saidClose, d.fence = true, nil // it ends the session in its own words
	}
	if d.fence == nil || d.fence.last || f.opcode != opPong || f.length != int64(len(fenceText)) {
		return false, false
	}
	end := h.pos + f.size + len(fenceText)
	if len(t.rest()) < end {
		return true, false
	}
	if !bytes.Equal(t.rest()[h.pos+f.size:end], []byte(fenceText)) {
		return false, false
	}
	d.consume(end, true) // with what there is of a message that will not be whole
	h.clear()
	d.answer()
	return true, t.v.End == session.Continue
}

// answer gives the client the reply that has waited.
func (d *Decoder) answer() {
	t := &d.turn
	t.v.Edit(t.pos, t.pos, d.fence.reply)
	t.h.refused = true
	if d.fence.close {
		t.v.End = session.Close
	}
	d.fence = nil
}
