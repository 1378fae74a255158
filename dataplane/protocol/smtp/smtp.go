// Package smtp decodes SMTP (RFC 5321) with pipelining, BDAT (RFC 3030), AUTH
// (RFC 4954) and STARTTLS (RFC 3207), behind which all passes: commands and
// replies, and the header fields and lines of the mail between. It is a Codec of
// package dialogue. Mail is shown line by line as it passes, never held whole.
package smtp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// maxLine bounds a command, in bytes. RFC 5321 asks for 512 and more with
// extensions; AUTH may have 12288.
const maxLine = 16 << 10

// New makes the decoder of one session. One that we meet in its middle is not
// read: whether a line is a command or a part of a mail is not known.
func New(rules protocol.Rules, conn protocol.Conn, o dialogue.Options) *dialogue.Decoder {
	o.Greets = true
	return dialogue.New("smtp", &codec{wants: rules.Wants, midStream: o.MidStream, answers: dialogue.Answers{Every: true}}, rules, conn, o)
}

// state is how the client's next bytes are to be read.
//
//	commands  command lines
//	asked     a command whose reply decides: DATA, AUTH, STARTTLS
//	answering lines that answer a challenge of AUTH
//	header    header fields of a mail
//	body      lines of a mail behind its header
//	sealed    TLS: not ours to read
//
// commands → asked → header, answering, sealed or commands; header → body →
// commands; answering → asked.
type state uint8

const (
	commands state = iota
	asked
	answering
	header
	body
	sealed
)

// codec is the dialogue.Codec.
type codec struct {
	wants func(kind string) bool
	state state
	asked string // of the state asked: the command
	begun bool   // a part of the mail under way has been seen
	loose bool   // in its header there was a line that is no field
	place place  // in a mail: where what has been looked at of it leads
	// scanned: bytes of the line or header field that comes next that have been looked at
	scanned int

	hellos   int  // commands EHLO, HELO and LHLO whose reply has not come
	chunking bool // the server has offered BDAT in its reply to the last of them

	midStream bool
	answers   dialogue.Answers
}

// command is what is kept of a command for the rules on its reply.
type command struct {
	name, argument string
	decides        bool // asked
}

// Next implements dialogue.Codec.
func (c *codec) Next(dir session.Direction, data []byte, eof bool, oldest any) dialogue.Step {
	switch {
	case c.state == sealed || c.midStream:
		return dialogue.Step{Verb: dialogue.Forever}
	case dir == session.ToClient:
		return c.reply(data, eof, oldest)
	case c.state == asked:
		return c.early(eof)
	case c.state == answering:
		return c.answer(data, eof)
	case c.state == commands:
		return c.command(data, eof)
	}
	return c.mail(data, eof)
}

// early is for bytes behind a command whose reply decides how they are read.
// Behind DATA and AUTH they wait; behind STARTTLS nothing may stand that one side
// takes for a command in the clear and the other for a part of TLS.
func (c *codec) early(eof bool) dialogue.Step {
	if c.asked == "starttls" || eof {
		return dialogue.Step{Verb: dialogue.Fault, Why: "bytes behind " + strings.ToUpper(c.asked) + " before its reply"}
	}
	return dialogue.Step{Verb: dialogue.Wait}
}

// line finds the client's next line; a Step that is not a Message says why there
// is none.
func line(data []byte, eof bool, most int) (dialogue.Line, dialogue.Step) {
	l, bad, ok := dialogue.NextLine(data, eof)
	switch {
	case !ok && len(data) <= most:
		return l, dialogue.Step{}
	case !ok || l.Size > most:
		return l, dialogue.Step{Verb: dialogue.Fault, Why: "a line is longer than the limit"}
	case bad != "":
		return l, dialogue.Step{Verb: dialogue.Fault, Why: bad}
	}
	return l, dialogue.Step{Verb: dialogue.Message, Size: l.Size}
}

func (c *codec) command(data []byte, eof bool) dialogue.Step {
	l, s := line(data, eof, maxLine)
	if s.Verb != dialogue.Message {
		return s
	}
	from := 0
	for from < l.Text && isBlank(data[from]) {
		from++
	}
	end := from
	for end < l.Text && !isBlank(data[end]) && data[end] != '\v' && data[end] != '\f' { // servers end a verb there, too
		end++
	}
	arg := end
	for arg < l.Text && isBlank(data[arg]) {
		arg++
	}
	cmd := command{name: strings.ToLower(string(data[from:end])), argument: string(data[arg:l.Text])}
	switch cmd.name {
	case "data", "auth", "starttls":
		cmd.decides = true
	case "bdat":
		if s = c.chunk(s, cmd.argument, eof); s.Verb != dialogue.Message {
			return s
		}
	}
	s.Tag, s.Lookup = command{dialogue.Kept(cmd.name), dialogue.Kept(cmd.argument), cmd.decides}, cmd.lookup
	if c.wants("command") {
		s.Elements = []protocol.Element{commandElement(&cmd, data[:l.Size], from, end, arg, l.Text)}
	}
	return s
}

// chunk adds to a BDAT the octets behind it. To a server that has not offered it
// they are commands. It has them in 31 bits: what has more, servers read
// differently.
func (c *codec) chunk(s dialogue.Step, argument string, eof bool) dialogue.Step {
	words := append(strings.Fields(argument), "last")
	n, err := strconv.ParseUint(words[0], 10, 31)
	switch {
	case c.hellos > 0 && !eof:
		return dialogue.Step{Verb: dialogue.Wait}
	case c.hellos > 0 || !c.chunking:
		return dialogue.Step{Verb: dialogue.Fault, Why: "BDAT, which the server has not offered"}
	case err != nil || len(words) > 3 || !strings.EqualFold(words[1], "last"):
		return dialogue.Step{Verb: dialogue.Fault, Why: "BDAT without a size, or with more"}
	}
	s.Rest = int64(n)
	return s
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

func (c command) lookup(name string) (any, bool) {
	switch name {
	case "command.name":
		return c.name, true
	case "command.argument":
		return c.argument, true
	}
	return nil, false
}

// answer is a line that answers a challenge of AUTH: no command, whatever it
// looks like.
func (c *codec) answer(data []byte, eof bool) dialogue.Step {
	_, s := line(data, eof, maxLine)
	s.Tag = command{name: "auth", decides: true}
	return s
}

func (c *codec) reply(data []byte, eof bool, oldest any) dialogue.Step {
	a, bad, ok := c.answers.Next(data, eof)
	switch {
	case !ok:
		return dialogue.Step{}
	case bad != "":
		return dialogue.Step{Verb: dialogue.Fault, Why: bad}
	}
	cmd, _ := oldest.(command)
	text := string(data[a.Lines[0].Start:a.Lines[0].End])
	return dialogue.Step{
		Verb: dialogue.Message, Size: a.Size, Ends: true, Tag: decision{cmd, a.Code, cmd.greets() && offersChunks(data, &a)}, Elements: dialogue.AnswerElements(data, &a, c.wants),
		Lookup: func(name string) (any, bool) {
			switch name {
			case "reply.code":
				return a.Code, true
			case "reply.text":
				return text, true
			}
			return cmd.lookup(name)
		},
	}
}

// decision is a reply and the command that it answers.
type decision struct {
	command
	code     int64
	chunking bool // it offers BDAT
}

// greets says whether the reply to a command tells what the server can do.
func (c command) greets() bool { return c.name == "ehlo" || c.name == "helo" || c.name == "lhlo" }

// offersChunks says whether a reply names the extension of RFC 3030 among those
// behind its first line.
func offersChunks(data []byte, a *dialogue.Answer) bool {
	return a.Code == 250 && slices.ContainsFunc(a.Lines[1:], func(s protocol.Span) bool {
		return strings.EqualFold(strings.TrimSpace(string(data[s.Start:s.End])), "chunking")
	})
}

// Decided implements dialogue.Codec.
func (c *codec) Decided(_ session.Direction, s *dialogue.Step, forwarded bool) {
	switch tag := s.Tag.(type) {
	case command:
		if tag.greets() && forwarded {
			c.hellos++
		}
		switch {
		case tag.decides && forwarded:
			c.state, c.asked = asked, tag.name
		case c.state == answering:
			c.state = commands
		}
	case decision:
		if tag.greets() {
			c.hellos, c.chunking = c.hellos-1, tag.chunking
		}
		if c.state == asked && tag.decides {
			c.decide(tag, forwarded)
		}
	case part:
		c.begun = s.Parts
		if c.state, c.loose = tag.next, tag.loose; !s.Parts {
			c.state = commands
		}
	}
}

// decide is what follows the reply to DATA, AUTH or STARTTLS.
func (c *codec) decide(d decision, forwarded bool) {
	c.state = commands
	switch {
	case !forwarded:
	case d.name == "data" && d.code == 354:
		c.state, c.loose, c.begun, c.place, c.scanned = header, false, false, lineStart, 0
	case d.name == "auth" && d.code == 334:
		c.state = answering
	case d.name == "starttls" && d.code == 220:
		c.state = sealed
	}
}

// Encode implements dialogue.Codec.
func (c *codec) Encode(e *protocol.Element, field, value string) ([]byte, error) {
	if !dialogue.OneLine(value) {
		return nil, fmt.Errorf("%s of %s cannot hold a line end", field, e.Kind)
	}
	switch {
	case field == "code":
		if n, err := strconv.Atoi(value); err != nil || n < 200 || n > 599 {
			return nil, fmt.Errorf("%s is no reply code", value)
		}
	case e.Kind == "mail.line":
		return stuffed(value), nil
	case field == "argument" && e.Field("argument").Span.Start == e.Field("name").Span.End && value != "":
		return []byte(" " + value), nil
	}
	return []byte(value), nil
}

// stuffed puts a dot in front of one (RFC 5321 section 4.5.2).
func stuffed(line string) []byte {
	if strings.HasPrefix(line, ".") {
		line = "." + line
	}
	return []byte(line)
}

// Build implements dialogue.Codec.
func (c *codec) Build(like *protocol.Element, fields [][2]string) ([]byte, error) {
	values := map[string]string{}
	for _, f := range fields {
		if !dialogue.OneLine(f[1]) {
			return nil, fmt.Errorf("%s of %s cannot hold a line end", f[0], like.Kind)
		}
		values[f[0]] = f[1]
	}
	switch like.Kind {
	case "mail.header":
		if values["name"] == "" || strings.ContainsAny(values["name"], ": \t.") {
			return nil, fmt.Errorf("%q is no name of a header field", values["name"])
		}
		return []byte(values["name"] + ": " + values["value"] + "\r\n"), nil
	case "mail.line":
		return append(stuffed(values["text"]), "\r\n"...), nil
	}
	return nil, fmt.Errorf("no %s can be inserted: the server would answer it", like.Kind)
}

// texts are what servers commonly say.
var texts = map[int]string{
	250: "OK", 421: "Service not available, closing transmission channel", 450: "Requested mail action not taken: mailbox unavailable",
	451: "Requested action aborted: error in processing", 452: "Requested action not taken: insufficient system storage",
	500: "Syntax error, command unrecognized", 501: "Syntax error in parameters or arguments", 502: "Command not implemented",
	503: "Bad sequence of commands", 504: "Command parameter not implemented", 550: "Requested action not taken: mailbox unavailable",
	552: "Requested mail action aborted: exceeded storage allocation", 553: "Requested action not taken: mailbox name not allowed",
	554: "Transaction failed",
}

// Reply implements dialogue.Codec.
func (c *codec) Reply(r *protocol.Reply) (reply []byte, note string) {
	if r.Raw != "" || r.Status == 0 {
		return []byte(r.Raw), ""
	}
	if len(r.Headers) > 0 || r.Body != "" {
		note = "headers and body left out: an SMTP reply has none"
	}
	text := r.Reason
	if text == "" {
		text = texts[r.Status]
	}
	return dialogue.AnswerText(r.Status, text), note
}
