package http

import (
	"slices"
	"strconv"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// The rules see a held message as its head, its content without chunks and
// content coding, and then, where they ask for them, the lines of its chunked
// framing. view is that text; when the body came just so it is the message as it
// came.
func (h *half) view(b []byte, held bool) []byte {
	if !held || h.hold.direct {
		return b
	}
	s := &h.hold
	s.text = append(append(s.text[:0], b[:h.head.size]...), s.value...)
	for i := range s.lines {
		l := &s.lines[i]
		l.at = len(s.text)
		s.text = append(s.text, b[l.raw:l.raw+l.size]...)
	}
	return s.text
}

// divide tells edits of the head, of the content and of the lines behind it
// apart; those of the lines are moved to where the lines came.
func (h *half) divide(edits []session.Edit) (head, content, lines []session.Edit) {
	end := h.head.size
	if !h.hold.active {
		return edits, nil, nil
	}
	for _, e := range edits {
		switch {
		case e.Start < end:
			head = append(head, e)
		case e.Start < end+len(h.hold.value), e.End == end+len(h.hold.value):
			content = append(content, e)
		default:
			lines = append(lines, h.hold.place(e))
		}
	}
	return head, content, lines
}

// place moves an edit of the lines to the message as it came.
func (s *hold) place(e session.Edit) session.Edit {
	i, found := slices.BinarySearchFunc(s.lines, e.Start, func(l line, at int) int { return l.at - at })
	if !found {
		i--
	}
	by := s.lines[i].raw - s.lines[i].at
	return session.Edit{Start: e.Start + by, End: e.End + by, With: e.With}
}

// behind returns those edits of lines that stand behind a body written anew.
func (h *half) behind(lines []session.Edit) []session.Edit {
	return slices.DeleteFunc(lines, func(e session.Edit) bool { return e.Start < h.hold.last })
}

// rewrite gives the message other content and puts its framing right: the
// Content-Length, or one chunk in the place of all. Trailers stay, and so does the
// content coding.
func (h *half) rewrite(data []byte, head, content []session.Edit) (newHead, body []session.Edit) {
	s := &h.hold
	if s.direct {
		size := len(s.value)
		for _, e := range content {
			size += len(e.With) - (e.End - e.Start)
		}
		return h.headFor(head, size), content
	}
	value := s.anew
	if value == nil {
		value = s.code(splice(data[h.head.size:h.head.size+len(s.value)], h.head.size, content), 0)
	}
	raw := protocol.Span{Start: s.raw.Start, End: s.raw.End}
	if h.framing == byChunks {
		raw.End = s.last
		if len(value) > 0 {
			value = append(append([]byte(strconv.FormatInt(int64(len(value)), 16)+"\r\n"), value...), "\r\n"...)
		}
	}
	return h.headFor(head, len(value)), []session.Edit{{Start: raw.Start, End: raw.End, With: value}}
}

// splice makes edits in data, which stands at base.
func splice(data []byte, base int, edits []session.Edit) []byte {
	out := make([]byte, 0, len(data)+64)
	pos := 0
	for _, e := range edits {
		out = append(append(out, data[pos:e.Start-base]...), e.With...)
		pos = e.End - base
	}
	return append(out, data[pos:]...)
}

// headFor adds to the edits of the head what a body of size bytes asks for.
func (h *half) headFor(edits []session.Edit, size int) []session.Edit {
	for i := range h.head.fields {
		f := &h.head.fields[i]
		if f.known == contentLength && h.framing == byLength {
			edits = append(edits, session.Edit{Start: f.value.Start, End: f.value.End, With: []byte(strconv.Itoa(size))})
		}
	}
	slices.SortStableFunc(edits, func(a, b session.Edit) int { return a.Start - b.Start })
	return edits
}
