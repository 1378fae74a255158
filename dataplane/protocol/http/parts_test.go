package http

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func namedPart(name string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n"
}

// chunkedForm is a multipart body in chunks of random sizes up to most.
func chunkedForm(r *rand.Rand, most int, body string) string {
	message := "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n"
	for len(body) > 0 {
		n := min(1+r.IntN(1+r.IntN(most)), len(body))
		message += fmt.Sprintf("%x;a=b\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return message + "0\r\nTrailer: x\r\n\r\n"
}

// In chunks it is followed, too: what the server gets ends in front of the part that
// is refused, whose fields may be in several.
func TestLongMultipartInChunks(t *testing.T) {
	filler := strings.Repeat("--B is no delimiter here\r\n--Bx\r\n\n--\r\n", 30)
	refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400, Body: "no"}}
	rules := pickOne("request.part", "key", "evil", protocol.Reject, refuse)
	for seed := range uint64(50) {
		filler, most, splits := filler, 50, []func(string) []string{wholly, bytewise, pieces}
		if seed%5 == 0 { // more than is gathered at once
			filler, most, splits = strings.Repeat(filler, 100), 4*aheadAtOnce, splits[:1]
		}
		r := rand.New(rand.NewPCG(seed, 2))
		good := chunkedForm(r, most, "preamble\r\n"+namedPart("a")+filler+"\r\n"+namedPart("b")+filler+"\r\n--B--\r\nepilogue"+filler)
		bad := chunkedForm(r, most, namedPart("a")+filler+"\r\n"+namedPart("evil")+filler+"\r\n--B--\r\n")
		for name, split := range splits {
			w := newWire(t, rules, Options{MaxBody: 300})
			play(w, []part{c(good + get)}, split)
			if got := w.toServer(); got != good+get || w.End != session.Continue {
				t.Errorf("seed %d, split %d: end %d, %d bytes of %d got through; evidence %+v", seed, name, w.End, len(got), len(good+get), w.Log)
			}
			w = newWire(t, rules, Options{MaxBody: 300})
			play(w, []part{c(bad)}, split)
			got := w.toServer()
			carried := chunkExtension.ReplaceAllString(got, "")
			if !strings.HasPrefix(bad, got) || !strings.Contains(carried, "no delimiter") || strings.Contains(carried, "form-data; name=\"evil") {
				t.Errorf("seed %d, split %d: server gets %q; want what is before the part", seed, name, got)
			}
			if got := w.toClient(); !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || w.End != session.Close {
				t.Errorf("seed %d, split %d: end %d, client gets %q", seed, name, w.End, got)
			}
			// What is wrong with the framing is no less so.
			w = newWire(t, rules, Options{MaxBody: 300})
			play(w, []part{c(strings.Replace(good, ";a=b", ";a\x00b", 40))}, split)
			if w.End != session.Reset {
				t.Errorf("seed %d, split %d: end %d at a chunk out of form", seed, name, w.End)
			}
		}
	}
}

// chunkExtension is what stands between the data of two chunks.
var chunkExtension = regexp.MustCompile("(\r\n)?[0-9a-f]+;a=b\r\n")

// A multipart body that is too long to be held is followed: its content passes,
// and a part can still be refused.
func TestLongMultipart(t *testing.T) {
	filler := strings.Repeat("--B is no delimiter here\r\n--Bx\r\n\n--\r\n", 30)
	good := with(mult, "preamble\r\n"+namedPart("a")+filler+"\r\n"+namedPart("b")+filler+"\r\n--B--\r\nepilogue"+filler)
	bad := with(mult, namedPart("a")+filler+"\r\n"+namedPart("evil")+filler+"\r\n--B--\r\n")
	refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400, Body: "no"}}
	rules := pickOne("request.part", "key", "evil", protocol.Reject, refuse)
	for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise, "in pieces": pieces} {
		w := newWire(t, rules, Options{MaxBody: 300})
		play(w, []part{c(good + get)}, split)
		if got := w.toServer(); got != good+get || w.End != session.Continue {
			t.Errorf("%s: end %d, %d bytes of %d got through; evidence %+v", name, w.End, len(got), len(good+get), w.Log)
		}
		w = newWire(t, rules, Options{MaxBody: 300})
		play(w, []part{c(bad)}, split)
		before, _, _ := strings.Cut(bad, namedPart("evil"))
		if got := w.toServer(); got != before {
			t.Errorf("%s: server gets %q; want what is before the part, %q", name, got, before)
		}
		if got, want := w.toClient(), "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"; got != want || w.End != session.Close {
			t.Errorf("%s: end %d, client gets %q; want %q", name, w.End, got, want)
		}
		// A change that cannot be made any more is not got round by length.
		for _, rules := range []protocol.Rules{remove("request.part", "key", "evil"), to("request.part", "key", "evil", "key", "good")} {
			w = newWire(t, rules, Options{MaxBody: 300})
			play(w, []part{c(bad)}, split)
			if log := w.Log[session.ToServer]; w.toServer() != before || w.End != session.Reset || len(log) != 2 || !strings.HasPrefix(log[0].Note, "refused") {
				t.Errorf("%s: change: end %d, server gets %q; want what is before the part, evidence %+v", name, w.End, w.toServer(), log)
			}
			w = newWire(t, rules, Options{MaxBody: 300, Exceed: protocol.ExceedPass})
			play(w, []part{c(bad)}, split)
			if log := w.Log[session.ToServer]; w.toServer() != bad || w.End != session.Continue || len(log) != 1 || !strings.HasPrefix(log[0].Note, "refused") {
				t.Errorf("%s: change, passing: end %d, %d bytes of %d got through, evidence %+v", name, w.End, len(w.toServer()), len(bad), log)
			}
		}
	}
}

// It is shown as a whole while the server still waits for its end, so that one
// without its last delimiter, or with many parts, can be refused.
func TestLongMultipartAsAWhole(t *testing.T) {
	filler := strings.Repeat("--B is no delimiter here\r\n--Bx\r\n\n--\r\n", 30)
	refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400, Body: "no"}}
	broken := pickOne("request.multipart", "complete", false, protocol.Reject, refuse)
	three := pickOne("request.multipart", "count", int64(3), protocol.Reject, refuse)
	two := namedPart("a") + filler + "\r\n" + namedPart("b") + filler
	for name, tc := range map[string]struct {
		rules   protocol.Rules
		body    string
		refused bool
	}{
		"its end":                      {broken, two + "\r\n--B--\r\n", false},
		"its end and no line end":      {broken, two + "\r\n--B--", false},
		"an epilogue":                  {broken, two + "\r\n--B--\r\n" + filler, false},
		"the end of a value":           {broken, two, true},
		"a boundary":                   {broken, two + "\r\n--B\r\n", true},
		"half a boundary":              {broken, two + "\r\n--B", true},
		"fields":                       {broken, two + "\r\n--B\r\nContent-Disposition: form-data", true},
		"fields and nothing in them":   {broken, two + "\r\n" + namedPart("c"), true},
		"two parts where three may be": {three, two + "\r\n--B--\r\n", false},
		"the third part":               {three, two + "\r\n" + namedPart("c") + "x\r\n--B--", true},
		"the fields of the third part": {three, two + "\r\n" + namedPart("c"), true},
	} {
		r := rand.New(rand.NewPCG(1, 3))
		for framing, m := range map[string]string{"a length": with(mult, tc.body), "chunks": chunkedForm(r, 50, tc.body)} {
			for split, f := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise, "in pieces": pieces} {
				w := newWire(t, tc.rules, Options{MaxBody: 300})
				if !tc.refused {
					play(w, []part{c(m + get)}, f)
					if got := w.toServer(); got != m+get || w.End != session.Continue {
						t.Errorf("%s, %s, %s: end %d, %d bytes of %d got through; evidence %+v", name, framing, split, w.End, len(got), len(m+get), w.Log)
					}
					continue
				}
				play(w, []part{c(m)}, f)
				if got := w.toServer(); got == m || !strings.HasPrefix(m, got) || len(got) < len(m)/2 {
					t.Errorf("%s, %s, %s: server gets %d bytes of %d; want most, and not the last", name, framing, split, len(got), len(m))
				}
				if got := w.toClient(); !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || w.End != session.Close {
					t.Errorf("%s, %s, %s: end %d, client gets %q", name, framing, split, w.End, got)
				}
			}
		}
	}
}

// What comes byte by byte is looked at once, not again with each byte.
func TestBytesAreLookedAtOnce(t *testing.T) {
	body := func(s string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(s), s) }
	long := strings.Repeat("x", 3000)
	blank := strings.Repeat(" \t\r\n", 1000)
	for name, tc := range map[string]struct{ kind, message string }{
		"blanks in front of a body":   {"request.json", "POST / HTTP/1.1\r\nA: " + long + "\r\n" + body(blank+"x")},
		"blanks in front, by chunks":  {"request.json", chun + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(blank)+1, blank+"x")},
		"fields of a part":            {"request.part", with(mult, "--B\r\n"+strings.Repeat("A: b\r\n", 1000)+"\r\nx\r\n--B--\r\n"+long+long)},
		"one field of a part":         {"request.part", with(mult, "--B\r\nA: "+long+"\r\n\r\nx\r\n--B--\r\n"+long+long)},
		"fields of a part, by chunks": {"request.part", chunkedForm(rand.New(rand.NewPCG(1, 1)), 50, "--B\r\n"+strings.Repeat("A: b\r\n", 1000)+"\r\nx\r\n--B--\r\n"+long+long)},
		"blanks behind a delimiter":   {"request.part", with(mult, "--B"+strings.Repeat(" \t", 2000)+"\r\n\r\nx\r\n--B--\r\n"+long+long)},
		"blanks, but no delimiter":    {"request.part", with(mult, "--B"+strings.Repeat(" \t", 2000)+"x\r\n--B\r\n\r\n"+long+long)},
	} {
		w := newWire(t, remove(tc.kind, "key", "a"), Options{MaxBody: 5000})
		play(w, []part{c(tc.message)}, bytewise)
		if got := w.toServer(); got != tc.message || w.End != session.Continue {
			t.Errorf("%s: end %d, %d bytes of %d got through", name, w.End, len(got), len(tc.message))
		}
		if looked := w.d.halves[session.ToServer].looked; looked == 0 || looked > 10*len(tc.message) {
			t.Errorf("%s: %d bytes looked at, of a message of %d", name, looked, len(tc.message))
		}
	}
}

// pieces cuts into small random pieces.
func pieces(b string) (out []string) {
	r := rand.New(rand.NewPCG(uint64(len(b)), 7))
	for len(b) > 0 {
		n := min(1+r.IntN(40), len(b))
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

// FuzzParts compares a body that is followed with the same body held: the same
// parts are shown, the same whole, and every byte arrives.
func FuzzParts(f *testing.F) {
	f.Add(namedPart("a")+"x\r\n"+namedPart("b")+"y\r\n--B--\r\n", uint64(1))
	f.Add("pre\r\n--B \r\n\r\n--B\r\n\r\n--B-\r\n--B--", uint64(2))
	f.Add("--B\n\nx\n--B\nA: b", uint64(3))
	f.Add("--B\r\nContent-Disposition: form-data; name*=utf-8''a%20b; filename=\"=?utf-8?B?w7Y=?=\"; filename*=utf-8''%C3%B6\r\n\r\nx\r\n--B--\r\n", uint64(4))
	f.Fuzz(func(t *testing.T, body string, seed uint64) {
		if len(body) < 20 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		message := with(mult, body)
		if r.IntN(2) == 0 {
			message = chunkedForm(r, 50, body)
		}
		shown := func(limit int, split func(string) []string) (keys []string, whole, got string, refused bool) {
			look := witness{kinds: []string{"request.multipart", "request.part", "request.part.header", "request.chunk"}, seen: func(m *protocol.Message) {
				for i := range m.Elements {
					e := &m.Elements[i]
					switch e.Kind {
					case "request.multipart":
						whole += fmt.Sprintln(e.Fields[0].Value, e.Fields[1].Value, e.Fields[2].Value)
					case "request.part":
						keys = append(keys, fmt.Sprint(e.Fields[0].Value, e.Fields[1].Value, e.Fields[3].Value, e.Fields[6].Value, e.Fields[9].Value))
					case "request.part.header":
						keys = append(keys, fmt.Sprint(e.Fields[0].Value, e.Fields[2].Value))
					}
				}
			}}
			w := newWire(t, look, Options{MaxBody: limit})
			play(w, []part{c(message)}, split)
			return keys, whole, w.toServer(), w.End != session.Continue
		}
		held, wholeHeld, a, refused := shown(1<<20, wholly)
		followed, wholeFollowed, b, ended := shown(10, func(s string) (out []string) {
			for len(s) > 0 {
				n := min(1+r.IntN(30), len(s))
				out, s = append(out, s[:n]), s[n:]
			}
			return out
		})
		if refused || ended {
			// A form that two servers would read differently, such as a part with two names, ends its session, however it comes.
			if refused != ended || !strings.HasPrefix(message, a) || !strings.HasPrefix(message, b) {
				t.Errorf("%q: held, refused is %t, %q went on; followed, refused is %t, %q went on", body, refused, a, ended, b)
			}
			return
		}
		if a != b || a != message {
			t.Errorf("%q: held %q, followed %q", body, a, b)
		}
		if fmt.Sprint(held) != fmt.Sprint(followed) {
			t.Errorf("%q: held, rules see %q; followed %q", body, held, followed)
		}
		if wholeHeld != wholeFollowed {
			t.Errorf("%q: held, the whole is %q; followed %q", body, wholeHeld, wholeFollowed)
		}
	})
}
