package http

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func brotlified(text string) string {
	var b bytes.Buffer
	z := brotli.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func zstandardized(text string) string {
	z, _ := zstd.NewWriter(nil)
	return string(z.EncodeAll([]byte(text), nil))
}

// named is text in gzip that carries another text, as it is, in its header.
func named(text, name string) string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, flate.BestSpeed)
	z.Name = name
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
	codedAs  = "POST / HTTP/1.1\r\nContent-Type: %s\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s"
)

func codedPost(typ, coding, body string) string {
	return fmt.Sprintf(codedAs, typ, coding, len(body), body)
}

// A server that undoes the coding, and one that takes no notice of it, get what
// the rules have seen, coded as it was.
func TestCodings(t *testing.T) {
	evil, good := `{"evil":1}`, "{}"
	coded := func(named string, cs ...coding) string {
		body := []byte(good)
		for _, c := range cs {
			body = c.apply(body, 0)
		}
		return codedPost(jsonType, named, string(body))
	}
	form := pickOne("request.form", "key", "evil", protocol.Remove, protocol.Correction{})
	value := remove("request.json", "key", "evil")
	for _, tc := range []struct {
		name  string
		rules protocol.Rules
		b     string
		want  string // "": as it came
	}{
		{"Brotli", value, codedPost(jsonType, "br", brotlified(evil)), coded("br", brotlied)},
		{"Zstandard", value, codedPost(jsonType, "ZSTD", zstandardized(evil)), coded("ZSTD", zstandard)},
		{"two, one in the other", value, codedPost(jsonType, "gzip, br", brotlified(zipped(evil))), coded("gzip, br", gzipped, brotlied)},
		{"two in two fields", value, codedPost(jsonType, "zstd\r\nContent-Encoding: gzip", zipped(zstandardized(evil))), coded("zstd\r\nContent-Encoding: gzip", zstandard, gzipped)},
		{"the first of two", value, codedPost(jsonType, "gzip\r\nContent-Encoding: identity", zipped(evil)), coded("gzip\r\nContent-Encoding: identity", gzipped)},
		{"one of them is none", value, codedPost(jsonType, "gzip\r\nContent-Encoding: zstd", zipped(evil)), coded("gzip\r\nContent-Encoding: zstd", gzipped)},
		{"not coded, but named so: deflate", value, codedPost(jsonType, "deflate", evil), codedPost(jsonType, "deflate", good)},
		{"not coded, but named so: gzip", value, codedPost(jsonType, "gzip", evil), codedPost(jsonType, "gzip", good)},
		{"not coded, but named so: br", value, codedPost(jsonType, "br", evil), codedPost(jsonType, "br", good)},
		{"not coded, but named so: zstd", value, codedPost(jsonType, "zstd", evil), codedPost(jsonType, "zstd", good)},
		{"a form that is no deflate", form, codedPost(formType, "deflate", "b=1&evil=1"), codedPost(formType, "deflate", "b=1")},
		{"a form in the name of the file", form, codedPost(formType, "gzip", named("a=1", "&evil=1&")), codedPost(formType, "gzip", zipped("a=1"))},
		{"harmless JSON", value, codedPost(jsonType, "br", brotlified(`{"a":1}`)), ""},
		{"harmless JSON that is not coded", value, codedPost(jsonType, "deflate", `{"a":1}`), ""},
		{"JSON that is in form", remove("request.document", "valid", false), codedPost(jsonType, "gzip", zipped(`{"a":1}`)), ""},
		{"parts that are in form", remove("request.multipart", "complete", false), codedPost("multipart/form-data; boundary=B", "gzip", zipped("--B\r\n\r\nx\r\n--B--\r\n")), ""},
		{"all of it, whatever it is", to("request.body", "", nil, "value", ""), codedPost(formType, "gzip", zipped("a=1")+"junk"), codedPost(formType, "gzip", zipped(""))},
		{"an unknown coding", value, codedPost(jsonType, "aws-chunked", `{"evil":1}`), codedPost(jsonType, "aws-chunked", good)},
		{"too many", value, codedPost(jsonType, "gzip, gzip, gzip, gzip, gzip", evil), ""},
	} {
		want := tc.want
		if want == "" {
			want = tc.b
		}
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, tc.rules, Options{Exceed: protocol.ExceedPass})
			play(w, []part{c(tc.b)}, split)
			if diff := cmp.Diff(want, w.toServer()); diff != "" || w.End != session.Continue {
				t.Errorf("%s, %s: end %d, server gets -want +got:\n%s", tc.name, name, w.End, diff)
			}
		}
	}
}

// The same in chunks, whose lines other rules are about.
func TestCodingsInChunks(t *testing.T) {
	post := func(coding, chunks string) string {
		return "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: " + coding + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "X: y\r\n\r\n"
	}
	chunk := func(extension, text string) string { return fmt.Sprintf("%x%s\r\n%s\r\n", len(text), extension, text) }
	evil, good := `{"evil":1}`, "{}"
	value := pickRule{"request.json", "key", "evil", protocol.Correction{Action: protocol.Remove}}
	line := pickRule{"request.chunk", "extension", ";a", protocol.Correction{Action: protocol.Set, Field: "extension"}}
	zippedGood := string(gzipped.apply([]byte(good), 0))
	for _, tc := range []struct {
		name, b, want string
		rules         pickRules
	}{
		{"coded", post("gzip", chunk("", zipped(evil)[:5])+chunk("", zipped(evil)[5:])+"0\r\n"), post("gzip", chunk("", zippedGood)+"0\r\n"), pickRules{value}},
		{"coded, and a line", post("gzip", chunk(";a", zipped(evil))+"0;a\r\n"), post("gzip", chunk("", zippedGood)+"0\r\n"), pickRules{value, line}},
		{"a line alone", post("gzip", chunk(";a", zipped(good))+"0\r\n"), post("gzip", chunk("", zipped(good))+"0\r\n"), pickRules{value, line}},
		{"not coded", post("deflate", chunk("", evil)+"0\r\n"), post("deflate", chunk("", good)+"0\r\n"), pickRules{value}},
	} {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, tc.rules, Options{})
			play(w, []part{c(tc.b)}, split)
			if diff := cmp.Diff(tc.want, w.toServer()); diff != "" || w.End != session.Continue {
				t.Errorf("%s, %s: end %d, server gets -want +got:\n%s", tc.name, name, w.End, diff)
			}
		}
	}
}

// Where each of two servers would have to get something else, none gets anything.
func TestTwoReadingsToBeCorrected(t *testing.T) {
	body := named("a=1&evil=1", "&evil=2&") + "something behind"
	for _, exceed := range []string{protocol.ExceedReset, protocol.ExceedPass} {
		w := newWire(t, pickOne("request.form", "key", "evil", protocol.Remove, protocol.Correction{}), Options{Exceed: exceed})
		play(w, []part{c(codedPost(formType, "gzip", body))}, wholly)
		passes := exceed == protocol.ExceedPass
		if (w.End == session.Reset) == passes || (w.toServer() != "") != passes {
			t.Errorf("exceed %s: end %d, server gets %q", exceed, w.End, w.toServer())
		}
		if notes := fmt.Sprint(w.Evidence()); !strings.Contains(notes, "both as it came and with its content coding undone") {
			t.Errorf("exceed %s: told %s", exceed, notes)
		}
	}
}

// What is coded to its end says nothing to those who do not undo it.
func TestCodedAnew(t *testing.T) {
	refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400}}
	removed, rejected := pickOne("request.form", "key", "evil", protocol.Remove, protocol.Correction{}), pickOne("request.form", "key", "evil", protocol.Reject, refuse)
	aware := pickOne("request.form", "key", "evil", protocol.Remove, protocol.Correction{Aware: true})
	head := pickRule{"request.header", "name", "x", protocol.Correction{Action: protocol.Remove}}
	for _, tc := range []struct {
		name, b, want string
		rules         pickRules
	}{
		{"removed", codedPost(formType, "gzip", named("a=1", "&evil=2&")), codedPost(formType, "gzip", zipped("a=1")), removed},
		{"refused", codedPost(formType, "gzip", named("a=1", "&evil=2&")), codedPost(formType, "gzip", zipped("a=1")), rejected},
		{"removed in both", codedPost(formType, "gzip", named("a=1&evil=1", "&evil=2&")), codedPost(formType, "gzip", zipped("a=1")), removed},
		{"and in the head", codedPost(formType, "gzip\r\nX: y", named("a=1", "&evil=2&")), codedPost(formType, "gzip", zipped("a=1")), append(pickRules{head}, removed...)},
		{"by a rule that knows", codedPost(formType, "gzip", named("a=1", "&evil=2&")), codedPost(formType, "gzip", strings.Replace(named("a=1", "&evil=2&"), "evil=2&", "", 1)), aware},
		{"nothing but the name", codedPost(formType, "gzip", named("a=1", "&good=2&")), codedPost(formType, "gzip", named("a=1", "&good=2&")), removed},
	} {
		w := newWire(t, tc.rules, Options{})
		play(w, []part{c(tc.b)}, bytewise)
		if diff := cmp.Diff(tc.want, w.toServer()); diff != "" || w.End != session.Continue {
			t.Errorf("%s: end %d, server gets -want +got:\n%s", tc.name, w.End, diff)
		}
		if told := fmt.Sprint(w.Evidence()); strings.Contains(told, "coded anew") == (tc.name == "nothing but the name" || tc.name == "by a rule that knows") {
			t.Errorf("%s: told %s", tc.name, told)
		}
	}
	// The rule finds fault with whatever begins as gzip does.
	w := newWire(t, ruleSet{when("request.body", "\x1f\x8b", protocol.Drop, protocol.Correction{})}, Options{})
	play(w, []part{c(codedPost(formType, "gzip", zipped("a=1")))}, wholly)
	if w.End != session.Reset || w.toServer() != "" {
		t.Errorf("in no way: end %d, server gets %q", w.End, w.toServer())
	}
}

// FuzzCodings: what an encoder wrote is read again, and what nobody wrote costs no
// more than the limit.
func FuzzCodings(f *testing.F) {
	for _, text := range []string{"", `{"a":1}`, strings.Repeat("a=1&", 5000), strings.Repeat("a", 8<<10), strings.Repeat("a", 8<<10+1)} {
		for i, coded := range []string{zipped(text), deflate(text), brotlified(text), zstandardized(text)} {
			f.Add(uint8(i), []byte(coded))
			f.Add(uint8(i), []byte(text))
		}
	}
	encode := []struct {
		name string
		f    func(string) string
	}{{"gzip", zipped}, {"deflate", deflate}, {"br", brotlified}, {"zstd", zstandardized}}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		const limit = 8 << 10
		n := which % uint8(len(encode))
		c := codings[encode[n].name]
		if plain := c.undo(b, limit); len(plain.content) > limit && !plain.long {
			t.Errorf("%d octets, not told to be over %d", len(plain.content), limit)
		}
		for way, coded := range [][]byte{c.apply(b, 0), c.apply(b, 1), c.apply(b, ways-1), []byte(encode[n].f(string(b)))} {
			plain := c.undo(coded, limit)
			if long := len(b) > limit; plain.long != long || !long && (!plain.sound || plain.was != c || !bytes.Equal(plain.content, b)) {
				t.Errorf("coded in way %d and decoded: %+v; want %q, long %v", way, plain, b, long)
			}
		}
	})
}

// FuzzReadings: a body that may be coded, framed in both ways, under rules that
// correct all kinds of it. What goes on is one request, which net/http reads.
func FuzzReadings(f *testing.F) {
	form := "a=1&evil=2&b=3"
	for _, body := range []string{form, `{"a":1,"evil":[2]}`, "<a evil='1'><evil/></a>", "--B\r\nContent-Disposition: form-data; name=evil\r\n\r\n1\r\n--B--\r\n"} {
		for i := range uint8(4) {
			f.Add(i, i, zipped(body))
			f.Add(i, i, named(body, "&evil=1&"))
			f.Add(i, i+8, brotlified(body)+"junk")
			f.Add(i, i+4, body)
			f.Add(i, i+12, zipped(deflate(body)))
		}
	}
	types := []string{formType, jsonType, "text/xml", "multipart/form-data; boundary=B"}
	names := []string{"gzip", "deflate", "br", "gzip, deflate"}
	all := pickRules{
		{"request.form", "key", "evil", protocol.Correction{Action: protocol.Remove}},
		{"request.json", "key", "evil", protocol.Correction{Action: protocol.Remove}},
		{"request.xml", "key", "evil", protocol.Correction{Action: protocol.Set, Field: "key", Value: "good"}},
		{"request.part", "key", "evil", protocol.Correction{Action: protocol.Set, Field: "key", Value: "good"}},
		{"request.multipart", "complete", false, protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 400}}},
	}
	f.Fuzz(func(t *testing.T, typ, how uint8, body string) {
		head := "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + types[typ%4] + "\r\nContent-Encoding: " + names[how/2%4] + "\r\n"
		b := head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		if how%2 == 1 && body != "" {
			b = head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		w := newWire(t, all, Options{MaxBody: 4 << 10, Exceed: protocol.ExceedReset})
		w.feed(session.ToServer, b, false)
		got := w.toServer()
		if w.End != session.Continue || got == "" {
			return
		}
		in := bufio.NewReader(strings.NewReader(got))
		req, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("the server gets %q: %v", got, err)
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil || in.Buffered() > 0 {
			t.Fatalf("the server gets %q: %v, %d octets behind it", got, err, in.Buffered())
		}
		if len(w.Evidence()) == 0 && got != b {
			t.Fatalf("the server gets %q; want %q", got, b)
		}
	})
}
