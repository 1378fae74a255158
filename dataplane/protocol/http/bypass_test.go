package http

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// What an attacker writes so that a server understands one thing and a decoder
// another.

// A server that answers CONNECT as it answers any method goes on in HTTP.
func TestConnectIsNoWayOut(t *testing.T) {
	rules := ruleSet{when("request.line", "/bad", protocol.Drop, protocol.Correction{})}
	attack := func(target string) string { return "CONNECT " + target + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	for _, tc := range []struct {
		name, connect, answer string
		through               bool // what follows is a tunnel's
	}{
		{"of a resource", attack("/x"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		{"of a resource, no content", attack("/x"), "HTTP/1.1 204 No Content\r\n\r\n", false},
		{"of a resource, in absolute form", attack("http://h/x"), ok2, false},
		{"of an authority, answered with a length", attack("h:80"), ok2, false},
		{"of an authority, answered with chunks", attack("h:80"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"of an authority, answered with 204", attack("h:80"), "HTTP/1.1 204 No Content\r\n\r\n", false},
		{"of an authority, refused", attack("h:80"), "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n", false},
		{"a tunnel", attack("h:80"), "HTTP/1.1 200 OK\r\n\r\n", true},
	} {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			for _, early := range []bool{false, true} {
				w := newWire(t, rules, Options{})
				parts := []part{c(tc.connect), s(tc.answer), c(bad)}
				if early {
					parts = []part{c(tc.connect + bad), s(tc.answer)}
				}
				play(w, parts, split)
				if got := strings.Contains(w.toServer(), "/bad"); got != tc.through || w.End != session.Continue {
					t.Errorf("%s, %s, early %t: end %d, server gets %q", tc.name, name, early, w.End, w.toServer())
				}
			}
		}
	}
	w := newWire(t, ruleSet{when("request.line", "/bad", protocol.Drop, protocol.Correction{})}, Options{})
	play(w, []part{c(attack("/bad"))}, wholly)
	if got := w.toServer(); got != "" {
		t.Errorf("CONNECT of a resource: server gets %q", got)
	}
}

// A 101 that nobody asked for, such as one in a text that the server sends where
// a response is awaited, ends no inspection.
func TestSwitchNotAskedFor(t *testing.T) {
	rules := ruleSet{when("request.line", "/bad", protocol.Drop, protocol.Correction{})}
	w := newWire(t, rules, Options{})
	play(w, []part{c(get), s("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), c(bad)}, wholly)
	if w.End != session.Reset || strings.Contains(w.toServer(), "/bad") {
		t.Errorf("end %d, server gets %q", w.End, w.toServer())
	}
}

// HTTP/2 is not inspected, so a session does not become it.
func TestNoUpgradeToHTTP2(t *testing.T) {
	rules := ruleSet{when("request.line", "/bad", protocol.Drop, protocol.Correction{})}
	offer := "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n{U}HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
	for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
		w := newWire(t, rules, Options{})
		play(w, []part{c(strings.Replace(offer, "{U}", "Upgrade: H2C\r\n", 1)), s(ok2), c(bad + get)}, split)
		if got, want := w.toServer(), strings.Replace(offer, "{U}", "", 1)+get; got != want || w.End != session.Continue {
			t.Errorf("%s: end %d, server gets %q; want %q", name, w.End, got, want)
		}
		w = newWire(t, rules, Options{})
		play(w, []part{c(strings.Replace(offer, "{U}", "Upgrade: foo, h2c\r\n", 1)), s("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), c(bad)}, split)
		if w.End != session.Reset {
			t.Errorf("%s, among others: end %d; want a reset", name, w.End)
		}
	}
}

// What stands before "://" and is no scheme is part of the path.
func TestSchemes(t *testing.T) {
	for target, want := range map[string]string{
		"http://h/p?q": "/p", "HTTP+x-1.0://h/p": "/p", "http://h": "", "http://h?q=/x": "",
		"bad/../x://y/p": "bad/../x://y/p", "/bad://x/p": "/bad://x/p", "${jndi:ldap://x/a}": "${jndi:ldap://x/a}",
		"1a://x/p": "1a://x/p", "://x/p": "://x/p", "x?a://b/c": "x",
	} {
		b := []byte("GET " + target + " HTTP/1.1\r\n\r\n")
		var h head
		parseHead(&h, b, true)
		if got := string(cut(b, h.path)); got != want {
			t.Errorf("path of %q = %q; want %q", target, got, want)
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func deflate(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

// Node.js takes no notice of what stands behind compressed content; a Go server
// that decodes JSON as it comes never reads the checksum.
func TestDamagedCoding(t *testing.T) {
	text := `{"evil":1}`
	z, d := zipped(text), deflate(text)
	for _, tc := range []struct {
		name, coding, body string
		was                coding
	}{
		{"sound", "gzip", z, gzipped},
		{"something behind", "gzip", z + "junk", gzipped},
		{"another checksum", "gzip", z[:len(z)-8] + "\x00\x00\x00\x00" + z[len(z)-4:], gzipped},
		{"cut off before the checksum", "gzip", z[:len(z)-8], gzipped},
		{"deflate, something behind", "deflate", d + "junk", deflated},
		{"deflate, another checksum", "deflate", d[:len(d)-4] + "\x00\x00\x00\x00", deflated},
		{"deflate, cut off", "deflate", d[:len(d)-4], deflated},
		{"deflate without its head", "deflate", d[2:], rawDeflated},
	} {
		post := "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: " + tc.coding + "\r\nContent-Length: %d\r\n\r\n%s"
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, remove("request.json", "key", "evil"), Options{})
			play(w, []part{c(with(post, tc.body))}, split)
			if got, want := w.toServer(), with(post, string(tc.was.apply([]byte("{}"), 0))); got != want || w.End != session.Continue {
				t.Errorf("%s, %s: end %d, server gets %q; want %q", tc.name, name, w.End, got, want)
			}
		}
	}
}

// Where servers would read a body in different ways, and where no rule could read
// it, it is not forwarded.
func TestBodiesOfTwoReadings(t *testing.T) {
	post := "POST / HTTP/1.1\r\nHost: h\r\n{T}Content-Length: %d\r\n\r\n%s"
	utf16 := "\x00{\x00\"\x00a\x00\"\x00:\x001\x00}"
	for _, tc := range []struct {
		name, types, body string
		refused           bool
	}{
		{"two types", "Content-Type: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n", "a=1", true},
		{"the same type twice", "Content-Type: a/b\r\nContent-Type: a/b\r\n", "a=1", false},
		{"two boundaries", "Content-Type: multipart/form-data; boundary=A; boundary=B\r\n", "x", true},
		{"boundary with a comma", "Content-Type: multipart/form-data; boundary=A,B\r\n", "x", true},
		{"form in EBCDIC", "Content-Type: application/x-www-form-urlencoded; charset=IBM037\r\n", "%83=1", true},
		{"form in UTF-16", "Content-Type: application/x-www-form-urlencoded; charset=\"utf-16le\"\r\n", "%83=1", true},
		{"second charset", "Content-Type: application/x-www-form-urlencoded; charset=utf-8; charset=cp500\r\n", "%83=1", true},
		{"charset by its number", "Content-Type: application/x-www-form-urlencoded; charset=037\r\n", "%83=1", true},
		{"Windows", "Content-Type: application/x-www-form-urlencoded; charset=windows-1252\r\n", "a=1", false},
		{"code page of Windows", "Content-Type: application/x-www-form-urlencoded; charset=cp1251\r\n", "a=1", false},
		{"Shift_JIS", "Content-Type: application/x-www-form-urlencoded; charset=Shift_JIS\r\n", "a=1", false},
		{"unknown charset", "Content-Type: application/x-www-form-urlencoded; charset=too-deep\r\n", "a=1", false},
		{"JSON in UTF-16", "Content-Type: application/json\r\n", utf16, true},
		{"JSON in UTF-16, little-endian", "", utf16[1:] + "\x00", true},
		{"JSON with a mark of UTF-16", "Content-Type: application/json\r\n", "\xff\xfe" + utf16[1:] + "\x00", true},
		{"XML in EBCDIC", "Content-Type: text/xml\r\n", "\x4c\x6f\xa7\x94\x93", true},
		{"binary", "Content-Type: application/octet-stream\r\n", "\x00\x00\x00\x01\x02", false},
		{"gRPC on the web", "Content-Type: application/grpc-web+json\r\n", "\x00\x00\x00\x00\x02{}", false},
	} {
		rules := ruleSet{}
		for _, kind := range []string{"request.json", "request.xml", "request.form", "request.part"} {
			rules = append(rules, when(kind, "never", protocol.Drop, protocol.Correction{}))
		}
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			b := with(strings.Replace(post, "{T}", tc.types, 1), tc.body)
			w := newWire(t, rules, Options{})
			play(w, []part{c(b)}, split)
			if got := w.End == session.Reset; got != tc.refused || !tc.refused && w.toServer() != b {
				t.Errorf("%s, %s: end %d, server gets %q", tc.name, name, w.End, w.toServer())
			}
			w = newWire(t, ruleSet{when("request.line", "never", protocol.Drop, protocol.Correction{})}, Options{})
			play(w, []part{c(b)}, split)
			if w.End != session.Continue || w.toServer() != b {
				t.Errorf("%s, %s, no rule about bodies: end %d, server gets %q", tc.name, name, w.End, w.toServer())
			}
		}
	}
}

// PHP ends a media type at a comma or a blank, and reads parts behind the end.
func TestBodiesAsPHPReadsThem(t *testing.T) {
	for _, typ := range []string{"application/x-www-form-urlencoded, x", "application/x-www-form-urlencoded x", "Application/X-WWW-Form-URLencoded,;a"} {
		w := newWire(t, remove("request.form", "key", "evil"), Options{})
		post := "POST / HTTP/1.1\r\nContent-Type: " + typ + "\r\nContent-Length: %d\r\n\r\n%s"
		play(w, []part{c(with(post, "evil=1&a=2"))}, wholly)
		if got, want := w.toServer(), with(post, "a=2"); got != want {
			t.Errorf("%s: server gets %q; want %q", typ, got, want)
		}
	}
	evil := "--B\r\nContent-Disposition: form-data; name=evil\r\n\r\n1\r\n"
	good := "--B\r\nContent-Disposition: form-data; name=good\r\n\r\n" + strings.Repeat("x", 300) + "\r\n"
	for _, maximum := range []int{100, 10000} {
		refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400}}
		w := newWire(t, pickOne("request.part", "key", "evil", protocol.Reject, refuse), Options{MaxBody: maximum})
		play(w, []part{c(with(mult, good+"--B--\r\n"+evil+"--B--\r\n"))}, wholly)
		if strings.Contains(w.toServer(), "evil") || !strings.HasPrefix(w.toClient(), "HTTP/1.1 400 ") {
			t.Errorf("part behind the end, at most %d bytes held: server gets %q, client %q", maximum, w.toServer(), w.toClient())
		}
	}
	w := newWire(t, remove("request.part", "key", "evil"), Options{})
	loose := "POST / HTTP/1.1\r\nContent-Type: multipart/form-data, boundary=B\r\nContent-Length: %d\r\n\r\n%s"
	play(w, []part{c(with(loose, evil+good+"--B--\r\n"))}, wholly)
	if got, want := w.toServer(), with(loose, good+"--B--\r\n"); got != want {
		t.Errorf("boundary without a semicolon: server gets %q; want %q", got, want)
	}
}

// References to characters are those characters.
func TestXMLCharacterReferences(t *testing.T) {
	for _, text := range []string{"&#36;{x", "&#x24;{x", "&#x00024;&#123;x", "&#36;{&#120;", "&#" + strings.Repeat("0", 100) + "36;{x", "&#36;{x"} {
		w := newWire(t, to("request.xml", "value", "${x", "value", "y"), Options{})
		play(w, []part{c(with(xmlp, "<a>"+text+"</a>"))}, wholly)
		if got, want := w.toServer(), with(xmlp, "<a>y</a>"); got != want {
			t.Errorf("%s: server gets %q; want %q", text, got, want)
		}
	}
}

// A part's name is found where it is folded, and where a blank stands behind the
// field's; one that recipients take to be this or that is not forwarded.
func TestNamesOfParts(t *testing.T) {
	for disposition, refused := range map[string]bool{
		"Content-Disposition: form-data;\r\n name=\"evil\"":                               false,
		"Content-Disposition: form-data; name=\r\n\tevil\r\n ":                            false,
		"Content-Disposition : form-data; name=evil":                                      false,
		"Content-Disposition: form-data; name=a; name=evil":                               true,
		"Content-Disposition: form-data; name=a; filename=x; filename=y":                  true,
		"Content-Disposition: form-data; name=a\r\nContent-Disposition: x; name=\"evil\"": true,
	} {
		body := "--B\r\n" + disposition + "\r\n\r\n" + strings.Repeat("x", 200) + "\r\n--B--\r\n"
		for _, maximum := range []int{100, 10000} {
			w := newWire(t, pickOne("request.part", "key", "evil", protocol.Reject, protocol.Correction{Reply: &protocol.Reply{Status: 400}}), Options{MaxBody: maximum})
			play(w, []part{c(with(mult, body))}, wholly)
			if got := w.End == session.Reset && w.toClient() == ""; got != refused || strings.Contains(w.toServer(), "Disposition") {
				t.Errorf("%q, at most %d bytes held: end %d, server gets %q, client %q", disposition, maximum, w.End, w.toServer(), w.toClient())
			}
		}
	}
}
