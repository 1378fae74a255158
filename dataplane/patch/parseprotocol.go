package patch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"wirepatch/dataplane/protocol/described"
	"wirepatch/dataplane/session"
)

// ProtocolFolder is where descriptions of protocols lie among the definitions,
// each as <name>.yaml.
const ProtocolFolder = "protocols"

// MaxProtocols bounds how many there are.
const MaxProtocols = 256

var (
	reProtocol = regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`)
	reField    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
)

// reservedNames are those that a condition cannot read: words of CEL, and what every
// condition has.
var reservedNames = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
	"cel", "optional", "regex", "client", "server", "request", "element", "session", "parameter", "found", DateVar,
}

// ReadProtocols reads the descriptions under a folder of definitions. One with a
// fault is left out, with its faults in errs.
func ReadProtocols(dir string) (found []*described.Description, errs []error) {
	files, err := filepath.Glob(filepath.Join(dir, ProtocolFolder, "*.yaml"))
	if err != nil || len(files) > MaxProtocols {
		return nil, []error{fmt.Errorf("read the protocols: %d files, %w", len(files), err)}
	}
	for _, path := range files {
		d, err := ReadProtocol(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, d)
	}
	return found, errs
}

// ReadProtocol reads one description, whose name must be that of the file.
func ReadProtocol(path string) (*described.Description, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, MaxFile+1)
	n, err := readFull(f, b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	d, err := ParseProtocol(path, b[:n])
	if err == nil && d.Name+".yaml" != filepath.Base(path) {
		err = Pos{File: path}.errorf("protocol is %q but the file is %q; want %s.yaml", d.Name, filepath.Base(path), d.Name)
	}
	return d, err
}

// ParseProtocol reads one description. Its error joins all faults, each with its
// place.
func ParseProtocol(file string, b []byte) (*described.Description, error) {
	r := &reader{file: file}
	d := &described.Description{Streams: true, Max: described.DefaultMax}
	if body := r.body(b); body != nil {
		r.protocol(d, body)
	}
	if len(r.errs) == 0 {
		return d, nil
	}
	all := make([]error, len(r.errs))
	for i, e := range r.errs {
		all[i] = e
	}
	return nil, errors.Join(all...)
}

func (r *reader) protocol(d *described.Description, n ast.Node) {
	found := map[string]bool{}
	for _, e := range r.mapping(n, "description", "protocol", "title", "sources", "over", "greets", "begins", "max", "lines", "binary") {
		found[e.key] = true
		switch e.key {
		case "protocol":
			d.Name = r.matching(e.node, "protocol", reProtocol, "a name of small letters, digits and hyphens").Value
		case "title":
			r.text(e.node, "title")
		case "sources":
			r.allMatching(e.node, "sources", reSource, "an https:// address")
		case "over":
			d.Streams = false
			for _, t := range r.list(e.node, "over") {
				switch v := r.text(t, "over"); v.Value {
				case "tcp":
					d.Streams = true
				case "udp":
					d.Datagrams = true
				default:
					r.fail(v.Pos, "over: found %q; want tcp or udp", clip(v.Value))
				}
			}
		case "greets":
			d.Greets = r.boolean(e.node, "greets")
		case "begins":
			for _, side := range r.mapping(e.node, "begins", "client", "server") {
				dir := session.ToServer
				if side.key == "server" {
					dir = session.ToClient
				}
				d.Begins[dir] = r.beginnings(side.node, "begins."+side.key)
			}
		case "max":
			d.Max = r.number(e.node, "max", 64, 1<<20)
		case "lines":
			d.Lines = &described.Lines{MaxLine: described.DefaultMaxLine, Separators: " \t"}
			r.lines(d.Lines, e.node)
		case "binary":
			d.Binary = &described.Binary{}
			r.binary(d.Binary, e.node)
		}
	}
	switch at := r.pos(n); {
	case !found["protocol"] || !found["title"]:
		r.fail(at, "description: want protocol and title")
	case found["lines"] == found["binary"]:
		r.fail(at, "description: want either lines or binary")
	case d.Lines != nil && d.Datagrams:
		r.fail(at, "description: lines go over tcp alone")
	case d.Binary != nil && d.Streams && (d.Binary.Client.Length == "" || d.Binary.Server.Length == ""):
		r.fail(at, "description: over tcp client and server need a length: the number that says how long a message is")
	}
}

// beginnings reads a list of texts, or of octets as {hex: …}.
func (r *reader) beginnings(n ast.Node, what string) []string {
	var out []string
	for _, item := range r.list(n, what) {
		var t Text
		if _, plain := item.(*ast.StringNode); plain {
			t = r.text(item, what)
		} else {
			for _, e := range r.mapping(item, what, "hex") {
				t = r.text(e.node, what)
				b, err := hex.DecodeString(strings.ReplaceAll(t.Value, " ", ""))
				if err != nil {
					r.fail(t.Pos, "%s: found %q; want octets in hexadecimal, as {hex: \"80 0c\"}", what, clip(t.Value))
				}
				t.Value = string(b)
			}
		}
		if len(t.Value) == 0 || len(t.Value) > described.MaxBegin {
			r.fail(r.pos(item), "%s: found %d octets; want 1 to %d", what, len(t.Value), described.MaxBegin)
		}
		out = append(out, t.Value)
	}
	if len(out) == 0 || len(out) > described.MaxBegins {
		r.fail(r.pos(n), "%s: found %d; want 1 to %d texts", what, len(out), described.MaxBegins)
	}
	return out
}

func (r *reader) lines(l *described.Lines, n ast.Node) {
	for _, e := range r.mapping(n, "lines", "max", "separators", "client", "server", "passes") {
		switch e.key {
		case "max":
			l.MaxLine = r.number(e.node, "lines.max", 16, 64<<10)
		case "separators":
			if l.Separators = r.text(e.node, "lines.separators").Value; l.Separators == "" || strings.ContainsAny(l.Separators, "\r\n") {
				r.fail(r.pos(e.node), "lines.separators: want at least one character that can stand within a line")
				l.Separators = " "
			}
		case "client":
			r.side(&l.Client, e.node, "lines.client")
		case "server":
			r.side(&l.Server, e.node, "lines.server")
		case "passes":
			for _, p := range r.mapping(e.node, "lines.passes", "command", "reply", "at") {
				switch p.key {
				case "command":
					l.PassesCommand = r.pattern(p.node, "lines.passes.command")
				case "reply":
					l.PassesReply = r.pattern(p.node, "lines.passes.reply")
				default:
					l.PassesAt = r.beginnings(p.node, "lines.passes.at")
				}
			}
			if (l.PassesCommand == nil) != (l.PassesReply == nil) || l.PassesCommand == nil && l.PassesAt == nil {
				r.fail(r.pos(e.node), "lines.passes: want command and reply, or at")
			}
		}
	}
}

func (r *reader) pattern(n ast.Node, what string) *regexp.Regexp {
	t := r.text(n, what)
	re, err := regexp.Compile(t.Value)
	if err != nil {
		r.fail(t.Pos, "%s: %v; want a regular expression as RE2 has them", what, err)
	}
	return re
}

func (r *reader) side(s *described.Side, n ast.Node, what string) {
	for _, e := range r.mapping(n, what, "alone", "follows") {
		if e.key == "alone" {
			s.Alone = r.pattern(e.node, what+".alone")
			continue
		}
		for _, item := range r.list(e.node, what+".follows") {
			s.Rules = append(s.Rules, r.lineRule(item, what+".follows"))
		}
	}
}

func (r *reader) lineRule(n ast.Node, what string) described.LineRule {
	var out described.LineRule
	says := 0
	for _, e := range r.mapping(n, what, "line", "command", "octets", "plus", "items", "more", "until") {
		in := what + "." + e.key
		switch e.key {
		case "line":
			out.Line = r.pattern(e.node, in)
		case "command":
			out.Command = r.pattern(e.node, in)
		case "octets":
			out.Octets = r.number(e.node, in, 1, 9)
			says++
		case "plus":
			out.Plus = r.number(e.node, in, 0, 2)
		case "items":
			out.Items = r.number(e.node, in, 1, 9)
			says++
		case "more":
			out.More = r.boolean(e.node, in)
			says++
		case "until":
			t := r.text(e.node, in).Value
			out.Until = &t
			says++
		}
	}
	switch {
	case out.Line == nil:
		r.fail(r.pos(n), "%s: key \"line\" is missing", what)
		out.Line = regexp.MustCompile(`^`)
	case says == 0 || says > 1 && !out.More:
		r.fail(r.pos(n), "%s: want one of octets, items, until, more; more beside octets or items", what)
	case max(out.Octets, out.Items) > out.Line.NumSubexp():
		r.fail(r.pos(n), "%s: the pattern has %d groups; want the one that octets or items names", what, out.Line.NumSubexp())
	}
	return out
}

func (r *reader) binary(b *described.Binary, n ast.Node) {
	little := false
	for _, e := range r.mapping(n, "binary", "order", "ordered", "client", "server") {
		switch e.key {
		case "order":
			little = r.order(e.node, "binary.order")
		case "ordered":
			b.Ordered = r.boolean(e.node, "binary.ordered")
		case "client":
			r.layout(&b.Client, e.node, "binary.client", little)
		case "server":
			r.layout(&b.Server, e.node, "binary.server", little)
		}
	}
	if len(b.Client.Fields) == 0 || len(b.Server.Fields) == 0 {
		r.fail(r.pos(n), "binary: want client and server, each with fields")
	}
}

func (r *reader) order(n ast.Node, what string) (little bool) {
	t := r.text(n, what)
	if t.Value != "big" && t.Value != "little" {
		r.fail(t.Pos, "%s: found %q; want big or little", what, clip(t.Value))
	}
	return t.Value == "little"
}

func (r *reader) layout(l *described.Layout, n ast.Node, what string, little bool) {
	var lengthPos Pos
	for _, e := range r.mapping(n, what, "length", "fields") {
		if e.key == "fields" {
			l.Fields = r.fields(e.node, what+".fields", little, nil, false)
			continue
		}
		lengthPos = r.pos(e.node)
		for _, p := range r.mapping(e.node, what+".length", "field", "plus") {
			if p.key == "field" {
				l.Length = r.text(p.node, what+".length.field").Value
			} else {
				l.Plus = r.number(p.node, what+".length.plus", -1<<16, 1<<16)
			}
		}
	}
	if l.Length == "" {
		return
	}
	for _, f := range l.Fields {
		fixed := f.When == "" && (f.Number > 0 || f.Size > 0)
		switch {
		case !fixed:
			r.fail(lengthPos, "%s.length: %q stands behind %q, which has no fixed size", what, l.Length, f.Name)
			return
		case f.Name == l.Length && f.Number > 0:
			return
		}
	}
	r.fail(lengthPos, "%s.length: there is no number %q", what, l.Length)
}

// reservedFields are those that every binary message has.
var reservedFields = []string{"malformed", "fault", "size", "complete", "message"}

// fields reads a list of fields. outer are the numbers that may be named.
func (r *reader) fields(n ast.Node, what string, little bool, outer []string, inGroup bool) []described.Field {
	var out []described.Field
	numbers := slices.Clone(outer)
	seen := map[string]bool{}
	items := r.list(n, what)
	for i, item := range items {
		f := r.field(item, what, little, numbers, inGroup)
		switch last := i == len(items)-1; {
		case seen[f.Name] || slices.Contains(reservedFields, f.Name):
			r.fail(r.pos(item), "%s: name %q is taken; want another", what, f.Name)
		case f.Rest && !last:
			r.fail(r.pos(item), "%s: %q takes all that is left; want it last", what, f.Name)
		}
		seen[f.Name] = true
		if f.Number > 0 {
			numbers = append(numbers, f.Name)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		r.fail(r.pos(n), "%s: the list is empty", what)
	}
	return out
}

func (r *reader) field(n ast.Node, what string, little bool, numbers []string, inGroup bool) described.Field {
	f := described.Field{Little: little}
	sizes := 0
	ref := func(t Text, key string) string {
		if !slices.Contains(numbers, t.Value) {
			r.fail(t.Pos, "%s.%s: %q is no number in front of it; want one of %s", what, key, clip(t.Value), strings.Join(numbers, ", "))
		}
		return t.Value
	}
	for _, e := range r.mapping(n, what, "name", "about", "number", "order", "octets", "plus", "until", "rest", "repeat", "fields", "when") {
		in := what + "." + e.key
		switch e.key {
		case "name":
			name := r.matching(e.node, in, reField, "small letters, digits and _")
			if f.Name = name.Value; slices.Contains(reservedNames, f.Name) {
				r.fail(name.Pos, "%s: %s means something else in conditions; want another name", in, f.Name)
			}
		case "about":
			f.Doc = r.text(e.node, in).Value
		case "number":
			f.Number = r.number(e.node, in, 1, 8)
			sizes++
		case "order":
			f.Little = r.order(e.node, in)
		case "octets":
			if _, ok := e.node.(*ast.IntegerNode); ok {
				f.Size = r.number(e.node, in, 1, 1<<16)
			} else {
				f.SizeOf = ref(r.text(e.node, in), "octets")
			}
			sizes++
		case "plus":
			f.Plus = r.number(e.node, in, -1<<16, 1<<16)
		case "until":
			b := byte(r.number(e.node, in, 0, 255))
			f.Until = &b
			sizes++
		case "rest":
			f.Rest = r.boolean(e.node, in)
			sizes++
		case "repeat":
			if t := r.text(e.node, in); t.Value == "rest" {
				f.Rest = true
			} else {
				f.Count = ref(t, "repeat")
			}
			sizes++
		case "fields":
			if inGroup {
				r.fail(e.pos, "%s: a group within a group; want fields alone", in)
				continue
			}
			f.Group = r.fields(e.node, in, little, numbers, true)
		case "when":
			r.when(&f, e.node, in, ref)
		}
	}
	switch {
	case f.Name == "":
		r.fail(r.pos(n), `%s: key "name" is missing`, what)
	case sizes != 1:
		r.fail(r.pos(n), "%s: %q: want exactly one of number, octets, until, rest, repeat", what, f.Name)
	case (f.Group != nil) != (f.Count != "" || f.Rest && f.Group != nil):
		r.fail(r.pos(n), "%s: %q: want repeat and fields together", what, f.Name)
	}
	return f
}

// when reads {number: [values]}.
func (r *reader) when(f *described.Field, n ast.Node, what string, ref func(Text, string) string) {
	entries := r.mapping(n, what)
	if len(entries) != 1 {
		r.fail(r.pos(n), "%s: want one number with a list of values, as {opcode: [1, 2]}", what)
		return
	}
	f.When = ref(Text{Pos: entries[0].pos, Value: entries[0].key}, "when")
	for _, v := range r.list(entries[0].node, what) {
		f.Among = append(f.Among, int64(r.number(v, what, 0, 1<<31-1)))
	}
}
