package http

import (
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/session"
)

// How the names of a part are written, what they are, and whether recipients agree.
func TestDisposition(t *testing.T) {
	const twice, malformed = 1, 2
	for _, tc := range []struct {
		value, name, filename string
		odd                   int
	}{
		{`form-data; name="a"; filename="x.txt"`, "a", "x.txt", 0},
		{`form-data; name=a;filename = "x;y" ; other="b c"`, "a", "x;y", 0},
		{"form-data;\r\n name=\"a\";\r\n filename=\"x\"", "a", "x", 0},
		{`form-data; name="a\"b"; filename="C:\x"`, `a"b`, `C:\x`, 0},
		{`form-data`, "", "", 0},
		// Go and Tomcat read the extended form of a name, PHP and busboy 1.6 that of a file name alone.
		{`form-data; name*=utf-8''%5F_proto__`, "__proto__", "", 0},
		{`form-data; name="a"; filename*=UTF-8'en'x%2Ey`, "a", "x.y", 0},
		{`form-data; name="a"; filename="x%20y"; filename*=utf-8''x%20y`, "a", "x y", 0},
		{`form-data; name="a"; filename="=?utf-8?B?w7Y=?="; filename*=utf-8''%C3%B6`, "a", "ö", 0},
		{`form-data; name="a"; filename="=?UTF-8?Q?=C3=B6?="; filename*=UTF-8''%C3%B6`, "a", "ö", 0},
		{`form-data; name="a"; filename="../x"; filename*=utf-8''y`, "a", "y", twice},
		{`form-data; name="a"; filename="=?utf-8?Q?../x?="; filename*=utf-8''y`, "a", "y", twice},
		{`form-data; name="b"; name*=utf-8''a`, "a", "", twice},
		{`form-data; name*=utf-16''a`, "a", "", malformed},
		{`form-data; name*=a`, "a", "", malformed},
		{`form-data; name*=utf-8''%zz`, "utf-8''%zz", "", malformed},
		{`form-data; name*="utf-8''a"`, "a", "", malformed},
		{`form-data; name*0="a"; name*1="b"`, "a", "", malformed},
		{`form-data; name*0*=utf-8''a`, "a", "", malformed},
		{`form-data; name="a"; name="b"`, "a", "", twice},
		{`form-data; name="a"; filename="x"; FileName="y"`, "a", "x", twice},
		{`name="a"; filename="x"`, "", "x", malformed},
		// busboy 0.3.1 reads __proto__ in all of these, others something else or nothing.
		{`form-data; name=__proto __`, "__proto __", "", malformed},
		{`form-data; name="__proto"__`, "__proto", "", malformed},
		{`form-data; n ame="__proto__"`, "", "", malformed},
		{`form-data; name="__proto__`, "__proto__", "", malformed},
		{`form-data; x="; name="a"`, "", "", malformed},
	} {
		d := readDisposition(tc.value)
		name, _ := d.name.text(tc.value)
		filename, _ := d.filename.text(tc.value)
		odd := 0
		if d.twice {
			odd += twice
		}
		if d.malformed {
			odd += malformed
		}
		if name != tc.name || filename != tc.filename || odd != tc.odd {
			t.Errorf("%s: name %q, file name %q, odd %d; want %q, %q, %d", tc.value, name, filename, odd, tc.name, tc.filename, tc.odd)
		}
	}
}

// A name is changed in each form in which a part has it.
func TestRename(t *testing.T) {
	for _, tc := range []struct{ field, was, is, to, want string }{
		{"key", `name="evil"`, "evil", `g"d`, `name="g%22d"`},
		{"key", `name=evil`, "evil", "a;b", `name="a;b"`},
		{"key", `name*=utf-8'en'%65vil`, "evil", "gööd", `name*=utf-8''g%C3%B6%C3%B6d`},
		{"filename", `name="a"; filename="evil"; filename*=utf-8''evil`, "evil", "b c", `name="a"; filename="b c"; filename*=utf-8''b%20c`},
		{"filename", `filename*=utf-8''evil; name="a"; filename=evil`, "evil", "b", `filename*=utf-8''b; name="a"; filename="b"`},
		{"key", `name="evil\\"; filename="f"`, `evil\`, `good\\`, `name="good\\\\"; filename="f"`},
		{"filename", `name="a"; filename=""`, "", "b", `name="a"; filename="b"`},
	} {
		body := func(names string) string {
			return with(mult, "--B\r\nA: b\r\nContent-Disposition: form-data; "+names+"\r\n\r\nx\r\n--B--\r\n")
		}
		w := newWire(t, to("request.part", tc.field, tc.is, tc.field, tc.to), Options{})
		play(w, []part{c(body(tc.was))}, bytewise)
		if got := w.toServer(); got != body(tc.want) {
			t.Errorf("%s: server gets %q; want %q; evidence %+v", tc.was, got, body(tc.want), w.Log)
		}
	}
	w := newWire(t, to("request.part", "filename", "", "filename", "b"), Options{})
	play(w, []part{c(with(mult, namedPart("a")+"x\r\n--B--\r\n"))}, wholly)
	if log := w.Log[session.ToServer]; len(log) != 1 || !strings.HasPrefix(log[0].Note, "refused: the part has no such parameter") {
		t.Errorf("a name that is not there: evidence %+v", log)
	}
}

// FuzzRename: a name that is set is what is read then, and the other one stays.
func FuzzRename(f *testing.F) {
	f.Add(`form-data; name="a"; filename="b"`, `x"\`, false)
	f.Add(`form-data; name*=utf-8''a; filename="b"; filename*=utf-8''b`, `c d`, true)
	f.Fuzz(func(t *testing.T, value, text string, filename bool) {
		block := "Content-Disposition: " + value + "\r\n"
		field, is := "key", readDisposition(value)
		if filename {
			field = "filename"
		}
		if r := readPart(block, formtext.Span{End: len(block)}); is.malformed || is.twice || r.count != 1 || r.field.Value.Cut(block) != value {
			return
		}
		p := &plan{m: &protocol.Message{Data: []byte(block)}}
		e := &protocol.Element{Fields: []protocol.Field{{Name: "headers", Span: protocol.Span{End: len(block)}}}}
		edits, note := p.rename(e, field, text)
		if note != "" {
			return
		}
		for i := len(edits) - 1; i >= 0; i-- {
			block = block[:edits[i].Start] + string(edits[i].With) + block[edits[i].End:]
		}
		r := readPart(block, formtext.Span{End: len(block)})
		now := r.field.Value.Cut(block)
		set, other, before := &r.disposition.name, &r.disposition.filename, &is.filename
		if filename {
			set, other, before = other, set, &is.name
		}
		got, _ := set.text(now)
		kept, _ := other.text(now)
		was, _ := before.text(value)
		if r.disposition.malformed || got != text && got != browserEscape.Replace(text) || kept != was {
			t.Errorf("%q, %s set to %q: %q, which reads %q, the other %q; want %q, malformed %t", value, field, text, now, got, kept, was, r.disposition.malformed)
		}
	})
}

// A body with a part of two names is for the policy; of one that is out of form rules
// are told.
func TestPartNamedDifferently(t *testing.T) {
	body := func(names string) string {
		return with(mult, "--B\r\nContent-Disposition: form-data; "+names+"\r\n\r\nx\r\n--B--\r\n")
	}
	refuse := pickOne("request.part", "malformed", true, protocol.Reset, protocol.Correction{})
	for names, end := range map[string]session.End{`name="a"`: session.Continue, `name=a b`: session.Reset, `name="a"; name*=utf-8''b`: session.Reset} {
		for _, options := range []Options{{}, {MaxBody: 60}} {
			w := newWire(t, refuse, options)
			if play(w, []part{c(body(names))}, pieces); w.End != end {
				t.Errorf("%s, held up to %d: end %d; want %d", names, options.MaxBody, w.End, end)
			}
		}
	}
	rules := to("request.part", "key", "other", "key", "b")
	for names, end := range map[string]session.End{`name=a b`: session.Continue, `name="a"; name*=utf-8''b`: session.Reset} {
		w := newWire(t, rules, Options{})
		if play(w, []part{c(body(names))}, pieces); w.End != end {
			t.Errorf("%s, with another rule: end %d; want %d", names, w.End, end)
		}
	}
	w := newWire(t, pickOne("request.line", "method", "POST", protocol.Report, protocol.Correction{}), Options{})
	if play(w, []part{c(body(`name="a"; name*=utf-8''b`))}, wholly); w.End != session.Continue {
		t.Errorf("where no rule asks for parts: end %d", w.End)
	}
}
