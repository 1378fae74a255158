package jsonvalue

import (
	"slices"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
)

// Edits are changes of one text, by their places. Where two want the same bytes
// the first one has them, except that what takes a value out prevails over
// changes within it.
type Edits struct {
	list []edit
}

type edit struct {
	protocol.Span
	with string
	from *itemlist.List // takes item out of it
	item int32
}

// Empty says that nothing changes.
func (s *Edits) Empty() bool { return len(s.list) == 0 }

// Change puts text in the place of a span; false: another edit has it.
func (s *Edits) Change(at protocol.Span, text string) bool {
	for i := range s.list {
		if e := &s.list[i]; e.Start < at.End && at.Start < e.End || at.Start == at.End && e.Start < at.Start && at.Start < e.End {
			return false
		}
	}
	s.add(edit{Span: at, with: text})
	return true
}

// Remove takes an item out of its list.
func (s *Edits) Remove(list *itemlist.List, i int32) {
	at := list.Items[i].Span
	s.list = slices.DeleteFunc(s.list, func(e edit) bool { return e.Start >= at.Start && e.End <= at.End && e.Start < e.End })
	s.add(edit{Span: at, from: list, item: i})
}

// add keeps the edits in the order of their places, and those of one place in
// the order in which they were asked for.
func (s *Edits) add(e edit) {
	i, _ := slices.BinarySearchFunc(s.list, e.Start, func(have edit, start int) int {
		if have.Start <= start {
			return -1
		}
		return 1
	})
	s.list = slices.Insert(s.list, i, e)
}

// Apply makes the edits in text.
func (s *Edits) Apply(text string) string {
	var b strings.Builder
	done := 0
	for _, e := range s.list {
		start, end, with := e.Start, e.End, e.with
		if e.from != nil {
			r := e.from.Removal(e.item)
			e.from.Take(e.item)
			start, end = r.Start, r.End
		}
		if start < done { // a value took the separator, or what is around it went
			if start, end = done, max(done, end); start == end {
				continue
			}
		}
		b.WriteString(text[done:start])
		b.WriteString(with)
		done = end
	}
	b.WriteString(text[done:])
	return b.String()
}
