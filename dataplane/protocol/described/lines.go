package described

import (
	"bytes"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// lines is the Codec of one session of a protocol of lines.
type lines struct {
	d       *Description
	wants   func(kind string) bool
	until   [2]*string // by direction: the block under way ends with this line
	passing bool
	waiting bool   // the reply to a command decides whether all passes
	prefix  string // of the line in front of a counted item, as last seen
	short   [2]short
}

// short is what is known of a message of which more must come, so that not all of
// it is read again with each segment.
type short struct {
	cmd  string // the frame's
	read progress
	need int // no sense in reading on before so many octets are there
	seen int // up to here there is no end of the line at which reading goes on
}

// more says that more must come to read on.
func (s *short) more(data []byte, maxLine int) bool {
	switch {
	case len(data) < s.need:
		return true
	case s.seen == 0 || len(data)-s.read.size > maxLine || bytes.IndexByte(data[s.seen:], '\n') >= 0:
		return false
	}
	s.seen = len(data)
	return true
}

// command is what is kept of a command for the rules on its reply.
type command struct {
	line, name, argument string
	decides              bool
}

// sealing marks the reply behind which all passes.
type sealing struct{}

// kinds are the elements' names by direction.
var kinds = [2]struct{ message, item, data, line string }{
	session.ToServer: {"command", "command.item", "command.data", "command.line"},
	session.ToClient: {"reply", "reply.item", "reply.data", "reply.line"},
}

// Next implements dialogue.Codec.
func (c *lines) Next(dir session.Direction, data []byte, eof bool, oldest any) dialogue.Step {
	switch {
	case c.passing:
		return dialogue.Step{Verb: dialogue.Forever}
	case c.waiting && dir == session.ToServer:
		return dialogue.Step{Verb: dialogue.Fault, Why: "bytes in front of a reply that decides how they are read"}
	case c.until[dir] != nil:
		return c.block(dir, data, eof)
	}
	cmd, _ := oldest.(command)
	sh := &c.short[dir]
	if sh.cmd != cmd.line && dir == session.ToClient {
		*sh = short{} // what it answers was not known
	}
	switch {
	case !eof && sh.more(data, c.d.Lines.MaxLine):
		return dialogue.Step{}
	case dir == session.ToServer && c.passesAt(data) != dialogue.Message:
		return dialogue.Step{Verb: c.passesAt(data)}
	}
	begun := sh.read
	f := frame{c: c, dir: dir, data: data, eof: eof, cmd: cmd.line, progress: begun}
	verb, why := f.read()
	if verb == dialogue.Message && begun.size > 0 {
		f = frame{c: c, dir: dir, data: data, eof: eof, cmd: cmd.line} // now that it is whole, all of it
		verb, why = f.read()
	}
	if *sh = f.short; verb != dialogue.Message {
		return dialogue.Step{Verb: verb, Why: why}
	}
	*sh = short{}
	s := f.step()
	c.until[dir] = f.until
	if dir == session.ToClient {
		c.answer(&s, &f, cmd)
		return s
	}
	cmd = command{line: f.line, name: f.name(), argument: f.argument()}
	p := c.d.Lines.PassesCommand
	cmd.decides = p != nil && p.MatchString(f.line)
	alone := c.d.Lines.Client.Alone
	kept := command{dialogue.Kept(cmd.line), dialogue.Kept(cmd.name), dialogue.Kept(cmd.argument), cmd.decides}
	s.Tag, s.Lookup, s.Silent = kept, cmd.lookup, alone != nil && alone.MatchString(f.line)
	return s
}

// passesAt says whether what stands in the place of a command is none, and passes,
// or may be so once more is there.
func (c *lines) passesAt(data []byte) dialogue.Verb {
	for _, at := range c.d.Lines.PassesAt {
		switch {
		case bytes.HasPrefix(data, []byte(at)):
			return dialogue.Forever
		case strings.HasPrefix(at, string(data[:min(len(data), len(at))])):
			return dialogue.More
		}
	}
	return dialogue.Message
}

// answer adds to a Step what a reply is in the session.
func (c *lines) answer(s *dialogue.Step, f *frame, cmd command) {
	alone := c.d.Lines.Server.Alone
	s.Ends = !s.Parts && (alone == nil || !alone.MatchString(f.line))
	if c.waiting && cmd.decides && c.d.Lines.PassesReply.MatchString(f.line) {
		s.Tag = sealing{}
	}
	if s.Ends && cmd.decides {
		c.waiting = false
	}
	name, line := f.name(), f.line
	s.Lookup = func(v string) (any, bool) {
		switch v {
		case "reply.name":
			return name, true
		case "reply.first":
			return line, true
		}
		return cmd.lookup(v)
	}
}

func (c command) lookup(v string) (any, bool) {
	switch v {
	case "command.name":
		return c.name, true
	case "command.argument":
		return c.argument, true
	case "command.first":
		return c.line, true
	}
	return nil, false
}

// Decided implements dialogue.Codec.
func (c *lines) Decided(_ session.Direction, s *dialogue.Step, forwarded bool) {
	switch tag := s.Tag.(type) {
	case command:
		c.waiting = c.waiting || forwarded && tag.decides
	case sealing:
		c.passing = forwarded
	}
}

// block takes the next line of a block, or many at once where no rule asks.
func (c *lines) block(dir session.Direction, data []byte, eof bool) dialogue.Step {
	if !eof && c.short[dir].more(data, c.d.Max) {
		return dialogue.Step{}
	}
	c.short[dir] = short{}
	s := dialogue.Step{Verb: dialogue.Message, Later: true, Parts: true, Silent: true, Committed: true, Tag: nil}
	for {
		l, _, ok := dialogue.NextLine(data[s.Size:], eof)
		if !ok || l.Size == 0 {
			break
		}
		text := data[s.Size : s.Size+l.Text]
		if string(text) == *c.until[dir] {
			if s.Size > 0 {
				return s // the end is a part of its own
			}
			c.until[dir] = nil
			s.Size, s.Parts, s.Ends = l.Size, false, dir == session.ToClient
			return s
		}
		s.Size += l.Size
		if k := kinds[dir].line; c.wants(k) {
			s.Elements = []protocol.Element{{Kind: k, Span: protocol.Span{Start: 0, End: l.Size}, Fields: []protocol.Field{
				{Name: "text", Value: unstuffed(string(text), *c.until[dir]), Span: protocol.Span{Start: 0, End: l.Text}},
			}}}
			return s
		}
	}
	if s.Size == 0 {
		c.short[dir].seen = len(data)
		return dialogue.Step{}
	}
	return s
}

// unstuffed takes the dot off that stands in front of one where a dot ends the
// block.
func unstuffed(text, until string) string {
	if until == "." && strings.HasPrefix(text, ".") {
		return text[1:]
	}
	return text
}

// Encode implements dialogue.Codec.
func (c *lines) Encode(e *protocol.Element, field, value string) ([]byte, error) {
	counted := e.Field("counted") != nil && e.Field("counted").Value == true
	if strings.HasSuffix(e.Kind, ".data") || counted {
		return []byte(value), nil
	}
	if err := oneLine(e.Kind, field, value); err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(e.Kind, ".line") && strings.HasPrefix(value, ".") && c.dotted():
		return []byte("." + value), nil
	case field == "argument" && e.Field("argument").Span.Start == e.Field("name").Span.End && value != "":
		return []byte(c.separator() + value), nil
	}
	return []byte(value), nil
}

func (c *lines) dotted() bool {
	for _, u := range c.until {
		if u != nil && *u == "." {
			return true
		}
	}
	return false
}

func (c *lines) separator() string { return c.d.Lines.Separators[:1] }

// Build implements dialogue.Codec.
func (c *lines) Build(like *protocol.Element, fields [][2]string) ([]byte, error) {
	value := ""
	for _, f := range fields {
		if f[0] == "value" || f[0] == "text" {
			value = f[1]
		}
	}
	counted := like.Field("counted") != nil && like.Field("counted").Value == true
	switch {
	case counted:
		return []byte(c.prefix + strconv.Itoa(len(value)) + "\r\n" + value + "\r\n"), nil
	case strings.HasSuffix(like.Kind, ".item"):
		if err := oneLine(like.Kind, "value", value); err != nil {
			return nil, err
		}
		return []byte(c.separator() + value), nil
	case strings.HasSuffix(like.Kind, ".line"):
		if err := oneLine(like.Kind, "text", value); err != nil {
			return nil, err
		}
		if strings.HasPrefix(value, ".") && c.dotted() {
			value = "." + value
		}
		return []byte(value + "\r\n"), nil
	}
	return nil, errInsert(like.Kind)
}

// Reply implements dialogue.Codec.
func (c *lines) Reply(r *protocol.Reply) ([]byte, string) {
	if r.Raw == "" && r.Status != 0 {
		return dialogue.AnswerText(r.Status, r.Reason), ""
	}
	return noReply(r)
}
