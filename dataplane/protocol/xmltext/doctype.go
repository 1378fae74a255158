package xmltext

import (
	"strconv"
	"strings"
)

// doctype reads a document type declaration with its internal subset.
func (s *scanner) doctype() error {
	if len(s.text) < s.at+9 || !strings.EqualFold(s.text[s.at:s.at+9], "<!DOCTYPE") {
		return s.fail("declaration that is none")
	}
	start := s.at
	name := 9 + blanks(s.text[start+9:])
	i := len(s.nodes)
	s.add(Doctype, name, name+nameLength(s.text[start+name:]), name, name)
	subset := false
	for at := start + 9; at < len(s.text); {
		switch c := s.text[at]; {
		case c == '>' && !subset:
			s.at = at + 1
			s.nodes[i].All.End, s.nodes[i].Value.End = s.at, at
			return nil
		case c == '[':
			subset = true
		case c == ']':
			subset = false
		case subset && strings.HasPrefix(s.text[at:], "<!--"):
			end := strings.Index(s.text[at+4:], "-->")
			if end < 0 {
				return s.fail("comment without an end")
			}
			at += 4 + end + 2
		case c == '"' || c == '\'':
			end := strings.IndexByte(s.text[at+1:], c)
			if end < 0 {
				return s.fail("literal without an end")
			}
			at += end + 1
		case subset && strings.HasPrefix(s.text[at:], "<!ENTITY"):
			end, err := s.entity(at)
			if err != nil {
				return err
			}
			at = end - 1
		}
		at++
	}
	return s.fail("document type without an end")
}

// entity reads an entity declaration: its name, and its value or where it is to
// be had from (SYSTEM or PUBLIC with their literals).
func (s *scanner) entity(from int) (end int, err error) {
	if len(s.nodes) >= s.l.Nodes {
		return 0, s.limit("too many parts")
	}
	text := s.text[from:]
	at := 8
	at += blanks(text[at:])
	if strings.HasPrefix(text[at:], "%") {
		at++
		at += blanks(text[at:])
	}
	name := Span{from + at, from + at + nameLength(text[at:])}
	at = name.End - from
	at += blanks(text[at:])
	value := Span{from + at, from + at}
	for at < len(text) {
		switch c := text[at]; c {
		case '>':
			value.End = from + at
			s.nodes = append(s.nodes, Node{Type: Entity, All: Span{from, from + at + 1}, Name: name, Value: value, Parent: s.open, Depth: s.depth})
			return from + at + 1, nil
		case '"', '\'':
			n := strings.IndexByte(text[at+1:], c)
			if n < 0 {
				return 0, s.fail("literal without an end")
			}
			at += n + 1
		}
		at++
	}
	return 0, s.fail("entity without an end")
}

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// Escape writes s as character data or the value of an attribute.
func Escape(s string) string { return escapes.Replace(s) }

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// Unescape resolves XML's own five entities and references to characters.
func Unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			break
		}
		out.WriteString(s[:i])
		text, n := reference(s[i:])
		out.WriteString(text)
		s = s[i+n:]
	}
	out.WriteString(s)
	return out.String()
}

// reference reads the reference that s begins with: what it stands for, and its
// length. One of another kind stands for itself.
func reference(s string) (text string, n int) {
	end := 1
	for end < len(s) && strings.IndexByte("&<; ", s[end]) < 0 {
		end++
	}
	if end == len(s) || s[end] != ';' {
		return s[:1], 1
	}
	name := s[1:end]
	if text, ok := entities[name]; ok {
		return text, end + 1
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if r, err := strconv.ParseUint(digits, base, 21); err == nil && name[0] == '#' {
		return string(rune(r)), end + 1
	}
	return s[:1], 1
}
