package described

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// frame reads one message of lines: a line and what belongs to it.
type frame struct {
	c    *lines
	dir  session.Direction
	data []byte
	eof  bool
	cmd  string // server: the command that is answered

	progress
	line   string
	text   protocol.Span // of the first line
	words  []protocol.Span
	items  []counted // behind the first line
	number number    // on the first line: how many there are
	octets []counted // data behind a line that is no item
	rest   int64     // octets of the last data that pass behind the message
	doubt  string    // why it is not certain how many these are
	until  *string
	short  short // of a message that is not whole
}

// progress is how far a message has been read: enough to go on from there, to its
// end or to a fault, though not to say what is in it.
type progress struct {
	size    int   // read so far
	need    int64 // lines that belong to it behind that, once size is not 0
	counts  bool  // the first line says how many items there are
	counted int   // items so far
}

// number is a number written in digits.
type number struct {
	value int64
	span  protocol.Span
}

// counted is data with the number of its octets.
type counted struct {
	whole, value protocol.Span
	number       number
}

// read finds the end of the message.
func (f *frame) read() (dialogue.Verb, string) {
	if f.size == 0 {
		f.need = 1
	}
	for f.need > 0 {
		f.short = short{cmd: f.cmd, read: f.progress}
		l, bad, ok := dialogue.NextLine(f.data[f.size:], f.eof)
		switch {
		case !ok && len(f.data)-f.size <= f.c.d.Lines.MaxLine, ok && l.Size == 0:
			f.short.seen = len(f.data)
			return dialogue.More, ""
		case !ok || l.Size > f.c.d.Lines.MaxLine:
			return dialogue.Fault, "a line is longer than the limit"
		case bad != "":
			return dialogue.Fault, bad
		}
		from := f.size
		f.size += l.Size
		line := string(f.data[from : from+l.Text])
		first := from == 0
		if first {
			f.line, f.text = line, protocol.Span{Start: 0, End: l.Text}
			f.split()
		}
		f.need--
		r, groups := f.rule(line)
		if r == nil {
			continue
		}
		if r.More {
			f.need++
		}
		if r.Items > 0 {
			n, ok := f.digits(line, groups, r.Items, from)
			if f.need += max(0, n.value); !ok || f.need > maxItems {
				return dialogue.Fault, "a count of items that is none, or too large"
			}
			if first {
				f.number, f.counts = n, true
			}
		}
		if r.Octets > 0 {
			n, ok := f.digits(line, groups, r.Octets, from)
			switch {
			case ok:
			case n.value == beyond && f.need == 0 && f.counted == 0:
				// What a server makes of such a number is what its definition is about.
				f.rest, f.doubt = beyond, "a count of octets that is too large"
				return dialogue.Message, ""
			default:
				return dialogue.Fault, "a count of octets that is none, or too large"
			}
			if verb, why := f.take(r, n, from, f.need == 0); verb != dialogue.Message {
				return verb, why
			}
		}
		if f.until = r.Until; f.until != nil && f.need > 0 {
			return dialogue.Fault, "a block in the middle of a message"
		}
		if f.size > f.c.d.Max {
			return dialogue.Fault, "a message is longer than the limit"
		}
	}
	return dialogue.Message, ""
}

// rule finds the rule that says what follows a line.
func (f *frame) rule(line string) (*LineRule, []int) {
	side := &f.c.d.Lines.Client
	if f.dir == session.ToClient {
		side = &f.c.d.Lines.Server
	}
	for i := range side.Rules {
		r := &side.Rules[i]
		if r.Command != nil && !r.Command.MatchString(f.cmd) {
			continue
		}
		if groups := r.Line.FindStringSubmatchIndex(line); groups != nil {
			return r, groups
		}
	}
	return nil, nil
}

// beyond stands for any number of more than 40 bits.
const beyond = 1 << 62

// digits reads the number in a group; a negative one stands for nothing.
func (f *frame) digits(line string, groups []int, group, from int) (number, bool) {
	if 2*group+1 >= len(groups) || groups[2*group] < 0 {
		return number{}, false
	}
	a, b := groups[2*group], groups[2*group+1]
	n, err := strconv.ParseInt(line[a:b], 10, 40)
	if errors.Is(err, strconv.ErrRange) && n > 0 {
		n = beyond
	}
	return number{n, protocol.Span{Start: from + a, End: from + b}}, err == nil
}

// take reads the octets behind a line that began at from.
func (f *frame) take(r *LineRule, n number, from int, last bool) (dialogue.Verb, string) {
	if n.value < 0 {
		return dialogue.Message, ""
	}
	all := n.value + int64(r.Plus)
	if int64(f.size)+all > int64(f.c.d.Max) {
		if !last || f.counted > 0 {
			return dialogue.Fault, "a message is longer than the limit"
		}
		f.rest = all
		return dialogue.Message, ""
	}
	if int64(len(f.data)-f.size) < all {
		f.short.need = f.size + int(all)
		return dialogue.More, ""
	}
	value := protocol.Span{Start: f.size, End: f.size + int(n.value)}
	f.size += int(all)
	if r.Plus == 2 && string(f.data[value.End:f.size]) != "\r\n" {
		return dialogue.Fault, "no line end behind data"
	}
	one := counted{protocol.Span{Start: from, End: f.size}, value, n}
	if from > 0 && f.counts {
		f.counted++
		f.items = append(f.items, one)
		f.c.prefix = string(f.data[from:n.span.Start])
	} else {
		f.octets = append(f.octets, one)
	}
	return dialogue.Message, ""
}

// split finds the words of the first line.
func (f *frame) split() {
	at := 0
	isSep := func(i int) bool { return strings.IndexByte(f.c.d.Lines.Separators, f.line[i]) >= 0 }
	for at < len(f.line) && len(f.words) < maxItems {
		for at < len(f.line) && isSep(at) {
			at++
		}
		from := at
		for at < len(f.line) && !isSep(at) {
			at++
		}
		if at > from {
			f.words = append(f.words, protocol.Span{Start: from, End: at})
		}
	}
}

// isCounted says whether the message is counted items and not words.
func (f *frame) isCounted() bool { return len(f.items) > 0 }

// name is the first word, or item, in lower case.
func (f *frame) name() string { n, _ := f.named(); return n }

func (f *frame) named() (string, protocol.Span) {
	span := none
	switch {
	case f.isCounted():
		span = f.items[0].value
	case len(f.words) > 0:
		span = f.words[0]
	default:
		return "", none
	}
	return strings.ToLower(string(f.data[span.Start:span.End])), span
}

// argument is what stands behind it; of items, they with a blank between.
func (f *frame) argument() string { a, _ := f.argued(); return a }

func (f *frame) argued() (string, protocol.Span) {
	if f.isCounted() {
		var rest []string
		for _, it := range f.items[1:] {
			rest = append(rest, string(f.data[it.value.Start:it.value.End]))
		}
		return strings.Join(rest, " "), none
	}
	if len(f.words) == 0 {
		return "", none
	}
	span := protocol.Span{Start: min(f.words[0].End+1, f.text.End), End: f.text.End}
	return f.line[span.Start:span.End], span
}

// step makes the Step of the message that was read.
func (f *frame) step() dialogue.Step {
	k := kinds[f.dir]
	s := dialogue.Step{Verb: dialogue.Message, Size: f.size, Rest: f.rest, Doubt: f.doubt, Parts: f.until != nil}
	if f.c.wants(k.message) {
		name, nameSpan := f.named()
		argument, argumentSpan := f.argued()
		s.Elements = append(s.Elements, protocol.Element{Kind: k.message, Span: protocol.Span{Start: 0, End: f.size}, Fields: []protocol.Field{
			{Name: "name", Value: name, Span: nameSpan}, {Name: "argument", Value: argument, Span: argumentSpan},
			{Name: "line", Value: f.line, Span: f.text}, {Name: "items", Value: int64(max(len(f.items), len(f.words))), Span: none},
			{Name: "size", Value: int64(f.size) + f.rest, Span: none},
		}})
	}
	if f.isCounted() {
		s.Lengths = append(s.Lengths, f.lengths(k.item)...)
	}
	if f.c.wants(k.item) {
		s.Elements = append(s.Elements, f.itemElements(k.item)...)
	}
	for _, o := range f.octets {
		s.Lengths = append(s.Lengths, dialogue.Length{Span: o.number.span, Value: o.number.value, Covers: o.value, Field: true, Encode: decimal})
		if f.c.wants(k.data) {
			s.Elements = append(s.Elements, protocol.Element{Kind: k.data, Span: o.whole, Fields: []protocol.Field{
				{Name: "value", Value: string(f.data[o.value.Start:o.value.End]), Span: o.value},
			}})
		}
	}
	return s
}

func (f *frame) lengths(kind string) []dialogue.Length {
	var out []dialogue.Length
	for _, it := range f.items {
		out = append(out, dialogue.Length{Span: it.number.span, Value: it.number.value, Covers: it.value, Field: true, Encode: decimal})
	}
	return append(out, dialogue.Length{Span: f.number.span, Value: f.number.value, Kind: kind, Encode: decimal})
}

func (f *frame) itemElements(kind string) []protocol.Element {
	var out []protocol.Element
	add := func(whole, value protocol.Span, counted bool) {
		out = append(out, protocol.Element{Kind: kind, Span: whole, Fields: []protocol.Field{
			{Name: "value", Value: string(f.data[value.Start:value.End]), Span: value}, {Name: "counted", Value: counted, Span: none},
		}})
	}
	if f.isCounted() {
		for _, it := range f.items {
			add(it.whole, it.value, true)
		}
		return out
	}
	for i, w := range f.words {
		whole := w
		if i > 0 {
			whole.Start = f.words[i-1].End // with the separators in front
		}
		add(whole, w, false)
	}
	return out
}

func decimal(n int64) ([]byte, error) { return []byte(strconv.FormatInt(n, 10)), nil }

func oneLine(kind, field, value string) error {
	if !dialogue.OneLine(value) {
		return fmt.Errorf("%s of %s cannot hold a line end", field, kind)
	}
	return nil
}

func errInsert(kind string) error { return fmt.Errorf("no %s can be inserted", kind) }
