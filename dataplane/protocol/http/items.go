package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// items are the elements of one list in which separators stand between
// neighbours: parameters, cookies, segments, members. Taking one out takes a
// separator with it, and which one depends on what else is taken out.
type items struct {
	list []item
	sep  string // what is put between an inserted item and its neighbour
}

// item is one of them.
type item struct {
	protocol.Span       // without separators
	prev, next    int32 // its neighbours, -1: none
	gone          gone
}

// gone says whether an item is taken out, and in what run of such.
type gone uint8

const (
	stays    gone = iota
	fromHead      // so are all before it
	behind        // one before it stays
)

// add appends an item behind the last one.
func (s *items) add(span protocol.Span) int32 {
	i := int32(len(s.list))
	s.list = append(s.list, item{Span: span, prev: i - 1, next: -1})
	if i > 0 {
		s.list[i-1].next = i
	}
	return i
}

// begin empties the list for another message.
func (s *items) begin(sep string) {
	if cap(s.list) > keepElements {
		s.list = nil
	}
	s.list, s.sep = s.list[:0], sep
}

// take takes an item out. Items are taken in the order in which they stand.
func (s *items) take(i int32) { s.list[i].gone = s.goneAs(i) }

func (s *items) goneAs(i int32) gone {
	if p := s.list[i].prev; p >= 0 && s.list[p].gone != fromHead {
		return behind
	}
	return fromHead
}

// removal is the edit that takes an item out.
func (s *items) removal(i int32) session.Edit {
	it := &s.list[i]
	switch {
	case s.goneAs(i) == behind:
		return session.Edit{Start: s.list[it.prev].End, End: it.End}
	case it.next >= 0:
		return session.Edit{Start: it.Start, End: s.list[it.next].Start}
	}
	return session.Edit{Start: it.Start, End: it.End}
}

// insertion is the edit that puts text beside an item.
func (s *items) insertion(i int32, before bool, text string) session.Edit {
	it := &s.list[i]
	if before {
		return session.Edit{Start: it.Start, End: it.Start, With: []byte(text + s.sep)}
	}
	return session.Edit{Start: it.End, End: it.End, With: []byte(s.sep + text)}
}
