package http

import "bytes"

// maxMethod bounds a method's name, in bytes; the longest registered one has 17.
const maxMethod = 32

// headScan looks for the end of a head and remembers how far it has looked.
type headScan struct {
	from    int  // looked at so far
	line    int  // where the line under way begins
	checked bool // the start line may be HTTP
}

// next returns the length of the head at the beginning of b with its empty
// line, 0 while it is not whole.
func (s *headScan) next(b []byte) int {
	for {
		i := bytes.IndexByte(b[s.from:], '\n')
		if i < 0 {
			s.from = len(b)
			return 0
		}
		end := s.from + i
		empty := end == s.line || end == s.line+1 && b[s.line] == '\r'
		first := s.line == 0
		s.from, s.line = end+1, end+1
		if empty && !first {
			return end + 1
		}
	}
}

// check tells as early as it can that b does not begin an HTTP/1 message, so
// that foreign bytes are not held for a head that never ends. It returns how
// many bytes show it, 0 as long as it may be HTTP.
func (s *headScan) check(b []byte, request bool) int {
	if s.checked {
		return 0
	}
	var bad int
	if request {
		bad = checkMethod(b)
	} else {
		bad = checkVersion(b)
	}
	if bad > 0 {
		return bad
	}
	end := bytes.IndexByte(b[min(s.from, len(b)):], '\n')
	if end < 0 {
		return 0
	}
	end += s.from + 1
	s.checked = true
	if request && !endsInVersion(b[:end]) {
		return end
	}
	return 0
}

func checkMethod(b []byte) int {
	for i, c := range b[:min(len(b), maxMethod+1)] {
		switch {
		case c == ' ' && i > 0:
			return 0
		case !tokenTable[c], i == maxMethod:
			return i + 1
		}
	}
	return 0
}

func checkVersion(b []byte) int {
	const want = "HTTP/1."
	for i := range min(len(b), len(want)) {
		if b[i] != want[i] {
			return i + 1
		}
	}
	return 0
}

// endsInVersion says whether a line ends in a version of HTTP, in form or not:
// then a head follows.
func endsInVersion(line []byte) bool {
	line = bytes.TrimRight(line, "\r\n \t")
	end := line[max(0, len(line)-9):]
	for i := range len(end) - 4 {
		if equalFold(end[i:i+5], "http/") {
			return true
		}
	}
	return false
}
