// Package ftp decodes the control connection of FTP (RFC 959, 2228, 2389, 2428):
// commands and replies, with the addresses that PORT, EPRT and the replies to
// PASV and EPSV name. It is a Codec of package dialogue. Data connections are
// sessions of their own and none of its business; after AUTH the rest passes.
package ftp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// maxLine bounds a command, in bytes. Servers take 512 to 4096.
const maxLine = 8 << 10

// New makes the decoder of one session.
func New(rules protocol.Rules, conn protocol.Conn, o dialogue.Options) *dialogue.Decoder {
	o.Greets = true
	return dialogue.New("ftp", &codec{wants: rules.Wants, server: conn.ServerAddress}, rules, conn, o)
}

// codec is the dialogue.Codec. After AUTH it waits for the reply, and with a
// good one all passes.
type codec struct {
	wants   func(kind string) bool
	server  string // its address: EPSV names none
	waiting bool   // the reply to AUTH decides how the client's bytes are to be read
	sealed  bool   // TLS from here on
	answers dialogue.Answers
}

// command is what is kept of a command for the rules on its reply.
type command struct{ name, argument string }

// Next implements dialogue.Codec.
func (c *codec) Next(dir session.Direction, data []byte, eof bool, oldest any) dialogue.Step {
	switch {
	case c.sealed:
		return dialogue.Step{Verb: dialogue.Forever}
	case dir == session.ToClient:
		return c.reply(data, eof, oldest)
	case c.waiting:
		return dialogue.Step{Verb: dialogue.Fault, Why: "bytes behind AUTH before its reply"}
	}
	return c.command(data, eof)
}

func (c *codec) command(data []byte, eof bool) dialogue.Step {
	l, bad, ok := dialogue.NextLine(data, eof)
	if !ok {
		if len(data) > maxLine {
			return dialogue.Step{Verb: dialogue.Fault, Why: "a command is longer than the limit"}
		}
		return dialogue.Step{}
	}
	from, telnet := afterTelnet(data[:l.Text])
	if telnet != "" {
		bad = telnet
	}
	if bad != "" || l.Size > maxLine {
		if bad == "" {
			bad = "a command is longer than the limit"
		}
		return dialogue.Step{Verb: dialogue.Fault, Why: bad}
	}
	for from < l.Text && isBlank(data[from]) {
		from++
	}
	end := from
	for end < l.Text && !isBlank(data[end]) {
		end++
	}
	arg := end
	if arg < l.Text {
		arg++ // one blank: those behind it belong to a file's name
	}
	cmd := command{strings.ToLower(string(data[from:end])), string(data[arg:l.Text])}
	s := dialogue.Step{Verb: dialogue.Message, Size: l.Size, Tag: command{dialogue.Kept(cmd.name), dialogue.Kept(cmd.argument)}, Lookup: cmd.lookup}
	if end == from {
		s.Silent = true // an empty line: most servers say nothing to it
	}
	if c.wants("command") {
		address, port := c.target(cmd)
		none := protocol.Span{Start: -1, End: -1}
		s.Elements = []protocol.Element{{Kind: "command", Span: protocol.Span{Start: 0, End: l.Size}, Fields: []protocol.Field{
			{Name: "name", Value: cmd.name, Span: protocol.Span{Start: from, End: end}},
			{Name: "argument", Value: cmd.argument, Span: protocol.Span{Start: arg, End: l.Text}},
			{Name: "address", Value: address, Span: none},
			{Name: "port", Value: port, Span: none},
		}}}
	}
	return s
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// afterTelnet finds where a line begins behind the Telnet commands (RFC 854) that
// clients send in front of ABOR. Within a line some servers take them out and
// others do not.
func afterTelnet(line []byte) (from int, bad string) {
	for from+1 < len(line) && line[from] == 0xff && line[from+1] != 0xff {
		if from += 2; line[from-1] >= 0xfb && from < len(line) {
			from++
		}
	}
	rest := bytes.ReplaceAll(line[from:], []byte{0xff, 0xff}, nil)
	if bytes.IndexByte(rest, 0xff) >= 0 {
		return from, "a Telnet command within a line, which servers read differently"
	}
	return from, ""
}

func (c command) lookup(name string) (any, bool) {
	switch name {
	case "command.name":
		return c.name, true
	case "command.argument":
		return c.argument, true
	}
	return nil, false
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
	s := dialogue.Step{Verb: dialogue.Message, Size: a.Size, Ends: a.Code >= 200, Begins: a.Code < 200, Elements: dialogue.AnswerElements(data, &a, c.wants)}
	text := string(data[a.Lines[0].Start:a.Lines[0].End])
	s.Lookup = func(name string) (any, bool) {
		switch name {
		case "reply.code":
			return a.Code, true
		case "reply.text":
			return text, true
		}
		return cmd.lookup(name)
	}
	if len(s.Elements) > 0 && s.Elements[0].Kind == "reply" {
		s.Elements[0].Fields = append(s.Elements[0].Fields, c.passive(a, text)...)
	}
	if cmd.name == "auth" && c.waiting && a.Code >= 200 {
		if c.waiting = false; a.Code == 234 || a.Code == 334 {
			s.Tag = sealing{}
		}
	}
	return s
}

// sealing marks the reply behind which TLS begins.
type sealing struct{}

// passive are the fields of a reply that names an address and a port.
func (c *codec) passive(a dialogue.Answer, text string) []protocol.Field {
	address, port := "", int64(0)
	switch a.Code {
	case 227:
		address, port = commaTarget(text)
	case 229:
		if _, rest, ok := strings.Cut(text, "("); ok {
			if inner, _, ok := strings.Cut(rest, ")"); ok {
				_, port = delimitedTarget(inner)
				address = c.server
			}
		}
	}
	none := protocol.Span{Start: -1, End: -1}
	return []protocol.Field{{Name: "address", Value: address, Span: none}, {Name: "port", Value: port, Span: none}}
}

// Decided implements dialogue.Codec.
func (c *codec) Decided(dir session.Direction, s *dialogue.Step, forwarded bool) {
	switch tag := s.Tag.(type) {
	case command:
		c.waiting = forwarded && tag.name == "auth"
	case sealing:
		c.sealed = forwarded && dir == session.ToClient
	}
}

// Encode implements dialogue.Codec.
func (c *codec) Encode(e *protocol.Element, field, value string) ([]byte, error) {
	if !dialogue.OneLine(value) {
		return nil, fmt.Errorf("%s of %s cannot hold a line end", field, e.Kind)
	}
	if field == "code" {
		if n, err := strconv.Atoi(value); err != nil || n < 100 || n > 999 {
			return nil, fmt.Errorf("%s is no reply code", value)
		}
	}
	if f := e.Field("argument"); field == "argument" && f.Span.Start == e.Field("name").Span.End && value != "" {
		return []byte(" " + value), nil
	}
	return []byte(value), nil
}

// Build implements dialogue.Codec.
func (c *codec) Build(like *protocol.Element, _ [][2]string) ([]byte, error) {
	return nil, fmt.Errorf("no %s can be inserted: the server would answer it", like.Kind)
}

// texts are what servers commonly say.
var texts = map[int]string{
	200: "Command okay.", 202: "Command not implemented, superfluous at this site.", 250: "Requested file action okay, completed.",
	421: "Service not available, closing control connection.", 425: "Can't open data connection.", 450: "Requested file action not taken.",
	500: "Syntax error, command unrecognized.", 501: "Syntax error in parameters or arguments.", 502: "Command not implemented.",
	503: "Bad sequence of commands.", 504: "Command not implemented for that parameter.", 530: "Not logged in.",
	550: "Requested action not taken.", 553: "Requested action not taken. File name not allowed.",
}

// Reply implements dialogue.Codec.
func (c *codec) Reply(r *protocol.Reply) (reply []byte, note string) {
	if r.Raw != "" || r.Status == 0 {
		return []byte(r.Raw), ""
	}
	if len(r.Headers) > 0 || r.Body != "" {
		note = "headers and body left out: an FTP reply has none"
	}
	text := r.Reason
	if text == "" {
		text = texts[r.Status]
	}
	return dialogue.AnswerText(r.Status, text), note
}
