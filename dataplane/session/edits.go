package session

// edit is one changed range: input [in,inEnd) became output [out,outEnd).
type edit struct{ in, inEnd, out, outEnd int64 }

// editMap translates between the input and the output offsets of a half.
type editMap struct {
	base int64  // output minus input before the first edit of list
	list []edit // in stream order; those that the receiver acknowledged are folded into base
}

// none says that input and output are the same throughout.
func (m *editMap) none() bool { return m.base == 0 && len(m.list) == 0 }

func (m *editMap) add(e edit) { m.list = append(m.list, e) }

// outFrom translates the start of a range. Within an edit it is the edit's
// start; at an insertion it is behind the insertion.
func (m *editMap) outFrom(in int64) int64 {
	for i := len(m.list) - 1; i >= 0; i-- {
		e := &m.list[i]
		if in >= e.inEnd {
			return e.outEnd + in - e.inEnd
		}
		if in > e.in {
			return e.out
		}
	}
	return in + m.base
}

// outTo translates the end of a range. Within an edit it is the edit's end;
// at an insertion it is before the insertion.
func (m *editMap) outTo(in int64) int64 {
	for i := len(m.list) - 1; i >= 0; i-- {
		e := &m.list[i]
		if in > e.inEnd || in == e.inEnd && e.in < e.inEnd {
			return e.outEnd + in - e.inEnd
		}
		if in > e.in {
			return e.outEnd
		}
	}
	return in + m.base
}

// inAcked translates an acknowledgement: the input below the result has been
// received by whoever acknowledged the output below out. What was deleted
// counts as received once all before it was; a changed range only as a whole.
func (m *editMap) inAcked(out int64) int64 {
	for i := len(m.list) - 1; i >= 0; i-- {
		e := &m.list[i]
		if out >= e.outEnd {
			return e.inEnd + out - e.outEnd
		}
		if out >= e.out {
			return e.in
		}
	}
	return out - m.base
}

// inFrom translates the left edge of a selective acknowledgement: within an
// edit it is the edit's end, so that no byte is claimed that was not received.
func (m *editMap) inFrom(out int64) int64 {
	for i := len(m.list) - 1; i >= 0; i-- {
		e := &m.list[i]
		if out >= e.outEnd {
			return e.inEnd + out - e.outEnd
		}
		if out > e.out {
			return e.inEnd
		}
	}
	return out - m.base
}

// touches says whether an edit changes anything within input (from,to), or
// deletes or replaces at its borders.
func (m *editMap) touches(from, to int64) bool {
	for i := len(m.list) - 1; i >= 0; i-- {
		e := &m.list[i]
		if e.inEnd <= from && !(e.in == from && e.inEnd == from) {
			return false
		}
		if e.in < to && e.inEnd > from || e.in == e.inEnd && e.in > from && e.in < to {
			return true
		}
	}
	return false
}

// prune folds edits that the receiver has acknowledged into base.
func (m *editMap) prune(una int64) {
	n := 0
	for n < len(m.list) && m.list[n].outEnd <= una {
		m.base = m.list[n].outEnd - m.list[n].inEnd
		n++
	}
	if n > 0 {
		m.list = append(m.list[:0], m.list[n:]...)
	}
}
