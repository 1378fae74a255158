// Package itemlist takes elements out of lists in which separators stand between
// neighbours, and puts others in: parameters, cookies, members of JSON. Decoders
// make lists of what they find and edits of what comes out; it knows no protocol.
package itemlist

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// List is the items of one list. Taking one out takes a separator with it, and
// which one depends on what else is taken out.
type List struct {
	Items []Item
	Sep   string // what is put between an inserted item and its neighbour
}

// Item is one of them.
type Item struct {
	protocol.Span       // without separators
	Prev, Next    int32 // its neighbours, -1: none
	gone          gone
}

// gone says whether an item is taken out, and in what run of such.
type gone uint8

const (
	stays    gone = iota
	fromHead      // so are all before it
	behind        // one before it stays
)

// Add appends an item behind the last one.
func (s *List) Add(span protocol.Span) int32 {
	i := int32(len(s.Items))
	s.Items = append(s.Items, Item{Span: span, Prev: i - 1, Next: -1})
	if i > 0 {
		s.Items[i-1].Next = i
	}
	return i
}

// keep is how much memory is kept from one message to the next, in items.
const keep = 128

// Begin empties the list for another message.
func (s *List) Begin(sep string) {
	if cap(s.Items) > keep {
		s.Items = nil
	}
	s.Items, s.Sep = s.Items[:0], sep
}

// Take takes an item out. Items are taken in the order in which they stand.
func (s *List) Take(i int32) { s.Items[i].gone = s.goneAs(i) }

func (s *List) goneAs(i int32) gone {
	if p := s.Items[i].Prev; p >= 0 && s.Items[p].gone != fromHead {
		return behind
	}
	return fromHead
}

// Removal is the edit that takes an item out.
func (s *List) Removal(i int32) session.Edit {
	it := &s.Items[i]
	switch {
	case s.goneAs(i) == behind:
		return session.Edit{Start: s.Items[it.Prev].End, End: it.End}
	case it.Next >= 0:
		return session.Edit{Start: it.Start, End: s.Items[it.Next].Start}
	}
	return session.Edit{Start: it.Start, End: it.End}
}

// Insertion is the edit that puts text beside an item.
func (s *List) Insertion(i int32, before bool, text string) session.Edit {
	it := &s.Items[i]
	if before {
		return session.Edit{Start: it.Start, End: it.Start, With: []byte(text + s.Sep)}
	}
	return session.Edit{Start: it.End, End: it.End, With: []byte(s.Sep + text)}
}
