// Package jsontext finds the values of a JSON text (RFC 8259) and where they
// stand, without building them. It reads on as well as it can where a text is
// no JSON, since flaws are often in how a server reads just that, and says so.
// Decoders use it; it knows nothing of what carries the text.
package jsontext

import "fmt"

// Type is what a value is.
type Type uint8

// The types. Missing is a member that has a name and no value.
const (
	Missing Type = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

func (t Type) String() string {
	return [...]string{"missing", "object", "array", "string", "number", "boolean", "null"}[t]
}

// Value is one value, in the order in which values begin.
type Value struct {
	Type       Type
	Start, End int32 // the value
	Key        int32 // where the quoted name of a member begins, -1: it is none
	KeyEnd     int32
	Parent     int32 // index of the object or array, -1: none
	Prev, Next int32 // index of the neighbours in it, -1: none
	Index      int32 // place within it, from 0
	Depth      int32 // how many objects and arrays are around it
	Twice      bool  // an earlier member of the object has the same name
}

// Limits bound what Scan makes of a text.
type Limits struct {
	Values int // values kept; more is an error
	Depth  int // nesting; deeper is an error
}

// Error says what is wrong and where.
type Error struct {
	Offset int
	What   string
	Limit  bool // a limit of ours, not what the text is
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// Beyond says whether an error of Scan is that a text goes beyond its limits.
func Beyond(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Limit
}

// Scan returns the values of text as far as it can be read. deepest is the
// deepest nesting found. A text of several values in a row is read to the end of
// the first one. vs is used again for the result.
func Scan(text string, vs []Value, l Limits) (out []Value, deepest int, err error) {
	s := scanner{text: text, vs: vs[:0], l: l, open: -1}
	if len(text) > 3 && text[:3] == "\xef\xbb\xbf" {
		s.at = 3 // a byte order mark, which many readers skip
	}
	if e := s.run(); e != nil {
		s.closeAll()
		return s.vs, s.deepest, e
	}
	return s.vs, s.deepest, nil
}

type scanner struct {
	text    string
	at      int
	vs      []Value
	l       Limits
	open    int32 // innermost object or array, -1: none
	last    []int32
	names   []map[string]bool
	deepest int
}

// run reads one value and what is in it.
func (s *scanner) run() *Error {
	if e := s.value(-1, -1); e != nil {
		return e
	}
	for s.open >= 0 {
		if e := s.item(); e != nil {
			return e
		}
	}
	if s.blanks(); s.at < len(s.text) {
		return s.fail("text behind the value")
	}
	return nil
}

// item reads the next item of the innermost object or array, or its end.
func (s *scanner) item() *Error {
	object := s.vs[s.open].Type == Object
	first := s.last[len(s.last)-1] < 0
	s.blanks()
	switch c := s.peek(); {
	case object && c == '}', !object && c == ']':
		s.at++
		s.close()
		return nil
	case first:
	case c != ',':
		return s.fail("no comma or end")
	default:
		s.at++
		s.blanks()
	}
	if !object {
		return s.value(-1, -1)
	}
	return s.member()
}

// member reads a name, a colon and a value.
func (s *scanner) member() *Error {
	key := s.at
	if s.peek() != '"' {
		return s.fail("no name")
	}
	if e := s.quoted(); e != nil {
		return e
	}
	end := s.at
	s.blanks()
	if s.peek() != ':' {
		s.missing(key, end)
		return s.fail("no colon behind a name")
	}
	s.at++
	s.blanks()
	if c := s.peek(); c == '}' || c == ',' || c == 0 {
		s.missing(key, end)
		return s.fail("no value behind a name")
	}
	return s.value(int32(key), int32(end))
}

func (s *scanner) missing(key, end int) {
	s.add(Missing, int32(key), int32(end))
}

// value reads a value, of an object or array its beginning.
func (s *scanner) value(key, keyEnd int32) *Error {
	s.blanks()
	if len(s.vs) >= s.l.Values {
		return s.limit("too many values")
	}
	c := s.peek()
	switch {
	case c == '{' || c == '[':
		return s.begin(c, key, keyEnd)
	case c == '"':
		i := s.add(String, key, keyEnd)
		e := s.quoted()
		s.vs[i].End = int32(s.at)
		return e
	case c == '-' || '0' <= c && c <= '9':
		i := s.add(Number, key, keyEnd)
		ok := s.number()
		s.vs[i].End = int32(s.at)
		if !ok {
			return s.fail("number out of form")
		}
		return nil
	}
	return s.word(key, keyEnd)
}

func (s *scanner) begin(c byte, key, keyEnd int32) *Error {
	t := Object
	if c == '[' {
		t = Array
	}
	i := s.add(t, key, keyEnd)
	s.at++
	s.open = i
	s.last = append(s.last, -1)
	s.names = append(s.names, nil)
	if s.deepest = max(s.deepest, len(s.last)); len(s.last) > s.l.Depth {
		return s.limit("nested too deeply")
	}
	return nil
}

// add keeps a value that begins here.
func (s *scanner) add(t Type, key, keyEnd int32) int32 {
	v := Value{Type: t, Start: int32(s.at), End: int32(s.at), Key: key, KeyEnd: keyEnd,
		Parent: s.open, Prev: -1, Next: -1, Depth: int32(len(s.last))}
	i := int32(len(s.vs))
	if n := len(s.last); n > 0 {
		if p := s.last[n-1]; p >= 0 {
			s.vs[p].Next, v.Prev, v.Index = i, p, s.vs[p].Index+1
		}
		s.last[n-1] = i
		if key >= 0 {
			v.Twice = s.twice(n-1, Unquote(s.text[key:keyEnd]))
		}
	}
	s.vs = append(s.vs, v)
	return i
}

// twice notes a name of the object at that depth.
func (s *scanner) twice(depth int, name string) bool {
	m := s.names[depth]
	if m == nil {
		m = map[string]bool{}
		s.names[depth] = m
	}
	if m[name] {
		return true
	}
	m[name] = true
	return false
}

func (s *scanner) close() {
	v := &s.vs[s.open]
	v.End = int32(s.at)
	s.open = v.Parent
	s.last = s.last[:len(s.last)-1]
	s.names = s.names[:len(s.names)-1]
}

// closeAll ends what is open where the text can be read no further.
func (s *scanner) closeAll() {
	s.at = len(s.text)
	for s.open >= 0 {
		s.close()
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) blanks() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) limit(what string) *Error { return &Error{Offset: s.at, What: what, Limit: true} }

func (s *scanner) fail(what string) *Error { return &Error{Offset: s.at, What: what} }
