package http

import (
	"cmp"
	"mime"
	"net/url"
	"slices"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/percent"
)

// disposition is what a Content-Disposition says of a part (RFC 7578 section 4.2).
type disposition struct {
	name, filename spelling
	// twice: it has two names or file names, of which some recipients take the first,
	// others the last, or the one in the form that they know.
	twice bool
	// malformed: it is out of form, and what recipients make of its names differs.
	malformed bool
}

// spelling is a name as it is written: plain, in the extended form of RFC 8187, which
// not all recipients know, or both.
type spelling struct{ plain, wide *formtext.Parameter }

func readDisposition(value string) disposition {
	kind, _, _ := strings.Cut(value, ";")
	d := disposition{malformed: strings.Contains(kind, "=")} // PHP reads a parameter there, too
	formtext.Params(value, func(p formtext.Parameter) bool {
		name, more, extended := strings.Cut(strings.ToLower(p.Name.Cut(value)), "*")
		d.malformed = d.malformed || p.Sloppy || more != "" // a name in parts: RFC 2231 section 3
		n := &d.name
		switch name {
		case "name":
		case "filename":
			n = &d.filename
		default:
			return true
		}
		form := &n.plain
		if extended {
			form = &n.wide
		}
		if d.twice = d.twice || *form != nil && more == ""; *form == nil {
			*form = &p
		}
		return true
	})
	for _, n := range []*spelling{&d.name, &d.filename} {
		formed, same := n.check(value)
		d.malformed, d.twice = d.malformed || !formed, d.twice || !same
	}
	return d
}

// text is the name, "" when there is none, and where it stands, if it is plain.
func (n *spelling) text(value string) (string, formtext.Span) {
	switch {
	case n.wide != nil:
		text, _ := wideValue(n.wide.Value.Cut(value))
		return text, formtext.Span{Start: -1, End: -1}
	case n.plain != nil:
		return formtext.Unquote(n.plain.Value.Cut(value)), n.plain.Value
	}
	return "", formtext.Span{Start: -1, End: -1}
}

// check says whether a name in the extended form is in form, and one in both forms is
// the same for those who know that form and those who do not.
func (n *spelling) check(value string) (formed, same bool) {
	if n.wide == nil {
		return true, true
	}
	text, ok := wideValue(n.wide.Value.Cut(value))
	formed = ok && n.wide.All.End == n.wide.Value.End // without quotes
	if n.plain == nil {
		return formed, true
	}
	plain := formtext.Unquote(n.plain.Value.Cut(value))
	word, err := new(mime.WordDecoder).DecodeHeader(plain) // which .NET and Spring write
	return formed, plain == text || percent.Decode(plain, false) == text || err == nil && word == text
}

// wideValue reads the extended form: charset, language, percent-encoded text. It is
// one if ASCII is its own octets in that charset.
func wideValue(v string) (text string, ok bool) {
	parts := strings.SplitN(v, "'", 3)
	if len(parts) != 3 {
		return v, false
	}
	text, err := url.PathUnescape(parts[2])
	if err != nil {
		return v, false
	}
	return text, slices.Contains([]string{"utf-8", "iso-8859-1", "us-ascii"}, strings.ToLower(parts[0]))
}

// browserEscape is what browsers write in a name for what would end it.
var browserEscape = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

// quoteName writes a name to stand in quotes as browsers do. A backslash that would
// be taken for the beginning of an escape is doubled.
func quoteName(name string) string {
	name = browserEscape.Replace(name)
	var out strings.Builder
	for i := range len(name) {
		out.WriteByte(name[i])
		if name[i] == '\\' && (i+1 == len(name) || name[i+1] == '\\') {
			out.WriteByte('\\')
		}
	}
	return out.String()
}

// rename returns the edits that give a part another name or file name, in each form
// in which it has one.
func (p *plan) rename(e *protocol.Element, field, to string) ([]edit, string) {
	block := e.Field("headers").Span
	text := string(cut(p.m.Data, block))
	r := readPart(text, formtext.Span{End: len(text)})
	n, from := &r.disposition.name, block.Start+r.field.Value.Start
	if field == "filename" {
		n = &r.disposition.filename
	}
	var edits []edit
	if n.plain != nil {
		where, escaped := n.plain.Value, quoteName(to)
		if where.End == n.plain.All.End { // without quotes
			escaped = `"` + escaped + `"`
		}
		edits = change(at(from, where), escaped)
	}
	if n.wide != nil {
		edits = append(edits, change(at(from, n.wide.Value), "utf-8''"+percent.Encode(to, ""))...)
	}
	if edits == nil {
		return nil, "refused: the part has no such parameter"
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.Start, b.Start) })
	return edits, ""
}
