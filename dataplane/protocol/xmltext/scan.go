// Package xmltext finds elements, attributes, character data and declarations
// of an XML text and where they stand. It reads what flaws are about (document
// types, entities, nesting), resolves no entity but the five of XML itself, and
// checks no validity beyond the nesting of tags. Decoders use it; it knows
// nothing of what carries the text.
package xmltext

import (
	"errors"
	"fmt"
	"strings"
)

// Type is what a Node is.
type Type uint8

// The types.
const (
	Element     Type = iota
	Attribute        // of the element before it
	Text             // character data, as written
	CDATA            // what a CDATA section holds
	Comment          // without its marks
	Instruction      // a processing instruction, and the XML declaration
	Doctype          // the document type declaration, whole
	Entity           // an entity declaration within it
)

func (t Type) String() string {
	return [...]string{"element", "attribute", "text", "cdata", "comment", "instruction", "doctype", "entity"}[t]
}

// Span is a range of the text.
type Span struct{ Start, End int }

// Node is one part, in the order in which parts begin.
type Node struct {
	Type   Type
	All    Span // from its first mark to its last; an element with its content; an attribute with the blank before it
	Name   Span // Start < 0: it has none
	Close  Span // an element's name in its end tag; Start < 0: it has none
	Value  Span // text, the value within quotes, an element's content; Start < 0: it has none
	Parent int  // index of the element around it, -1: none
	Depth  int  // how many elements are around it
}

// Limits bound what Scan makes of a text.
type Limits struct{ Nodes, Depth int }

// Scan returns the parts of text as far as it can be read, and the deepest
// nesting found.
func Scan(text string, l Limits) (nodes []Node, deepest int, err error) {
	s := scanner{text: text, l: l, open: -1}
	for s.at < len(text) && err == nil {
		err = s.next()
	}
	if err == nil && s.open >= 0 {
		err = s.fail("element without an end")
	}
	for s.open >= 0 {
		s.close(len(text), len(text))
	}
	return s.nodes, s.deepest, err
}

type scanner struct {
	text    string
	at      int
	l       Limits
	nodes   []Node
	open    int // innermost element, -1: none
	depth   int
	deepest int
}

// ErrLimit is that a text goes beyond its limits.
var ErrLimit = errors.New("over the limit")

func (s *scanner) limit(what string) error { return fmt.Errorf("%w: %s", ErrLimit, s.fail(what)) }

func (s *scanner) fail(what string) error { return fmt.Errorf("%s at byte %d", what, s.at) }

// next reads one part.
func (s *scanner) next() error {
	rest := s.text[s.at:]
	switch {
	case len(s.nodes) >= s.l.Nodes:
		return s.limit("too many parts")
	case rest[0] != '<':
		end := strings.IndexByte(rest, '<')
		if end < 0 {
			end = len(rest)
		}
		if strings.Trim(rest[:end], " \t\r\n") != "" {
			s.add(Text, 0, 0, 0, end)
		}
		s.at += end
		return nil
	case strings.HasPrefix(rest, "<!--"):
		return s.marked(Comment, "<!--", "-->")
	case strings.HasPrefix(rest, "<![CDATA["):
		return s.marked(CDATA, "<![CDATA[", "]]>")
	case strings.HasPrefix(rest, "<?"):
		return s.marked(Instruction, "<?", "?>")
	case strings.HasPrefix(rest, "<!"):
		return s.doctype()
	case strings.HasPrefix(rest, "</"):
		return s.endTag()
	}
	return s.startTag()
}

// add keeps a part whose spans count from here. name of no length: none.
func (s *scanner) add(t Type, name, nameEnd, value, valueEnd int) *Node {
	n := Node{Type: t, All: Span{s.at, s.at + valueEnd}, Name: Span{-1, -1}, Close: Span{-1, -1}, Parent: s.open, Depth: s.depth,
		Value: Span{s.at + value, s.at + valueEnd}}
	if nameEnd > name {
		n.Name = Span{s.at + name, s.at + nameEnd}
	}
	s.nodes = append(s.nodes, n)
	return &s.nodes[len(s.nodes)-1]
}

// marked reads what stands between two marks.
func (s *scanner) marked(t Type, open, end string) error {
	rest := s.text[s.at+len(open):]
	i := strings.Index(rest, end)
	if i < 0 {
		return s.fail(t.String() + " without an end")
	}
	n := s.add(t, 0, 0, len(open), len(open)+i)
	if t == Instruction {
		n.Name = Span{n.Value.Start, n.Value.Start + nameLength(rest)}
	}
	n.All.End += len(end)
	s.at = n.All.End
	return nil
}

func nameLength(s string) int {
	i := strings.IndexAny(s, " \t\r\n=/><?[\"'")
	if i < 0 {
		return len(s)
	}
	return i
}

// IsName says whether s can be the name of an element or an attribute.
func IsName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\r\n")) }

// startTag reads a start tag with its attributes.
func (s *scanner) startTag() error {
	n := nameLength(s.text[s.at+1:])
	if n == 0 {
		return s.fail("tag without a name")
	}
	if s.depth >= s.l.Depth {
		return s.limit("nested too deeply")
	}
	i := len(s.nodes)
	s.add(Element, 1, 1+n, 1+n, 1+n)
	s.at += 1 + n
	s.open, s.depth = i, s.depth+1
	s.deepest = max(s.deepest, s.depth)
	for {
		gap := blanks(s.text[s.at:])
		rest := s.text[s.at+gap:]
		switch {
		case strings.HasPrefix(rest, "/>"):
			s.at += gap + 2
			s.close(s.at, s.at)
			s.nodes[i].Value = Span{-1, -1}
			return nil
		case strings.HasPrefix(rest, ">"):
			s.at += gap + 1
			s.nodes[i].Value = Span{s.at, s.at}
			return nil
		case len(s.nodes) >= s.l.Nodes:
			return s.limit("too many parts")
		}
		if err := s.attribute(gap); err != nil {
			return err
		}
	}
}

// attribute reads one attribute behind gap blanks.
func (s *scanner) attribute(gap int) error {
	rest := s.text[s.at+gap:]
	n := nameLength(rest)
	eq := n + blanks(rest[n:])
	if n == 0 || gap == 0 || eq >= len(rest) || rest[eq] != '=' {
		return s.fail("attribute out of form")
	}
	q := eq + 1 + blanks(rest[eq+1:])
	if q >= len(rest) || rest[q] != '"' && rest[q] != '\'' {
		return s.fail("attribute without quotes")
	}
	end := strings.IndexByte(rest[q+1:], rest[q])
	if end < 0 {
		return s.fail("attribute without an end")
	}
	a := s.add(Attribute, gap, gap+n, gap+q+1, gap+q+1+end)
	a.All.End++
	s.at = a.All.End
	return nil
}

// endTag reads an end tag.
func (s *scanner) endTag() error {
	n := nameLength(s.text[s.at+2:])
	name := s.text[s.at+2 : s.at+2+n]
	end := s.at + 2 + n
	end += blanks(s.text[end:])
	if end >= len(s.text) || s.text[end] != '>' {
		return s.fail("end tag out of form")
	}
	if s.open < 0 || s.text[s.nodes[s.open].Name.Start:s.nodes[s.open].Name.End] != name {
		return s.fail("end tag of another element")
	}
	s.nodes[s.open].Close = Span{s.at + 2, s.at + 2 + n}
	s.close(s.at, end+1)
	s.at = end + 1
	return nil
}

// close ends the innermost element, whose content ends at content.
func (s *scanner) close(content, end int) {
	n := &s.nodes[s.open]
	n.Value.End, n.All.End = max(content, n.Value.Start), end
	s.open, s.depth = n.Parent, s.depth-1
}
