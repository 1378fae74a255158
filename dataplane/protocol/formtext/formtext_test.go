package formtext

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pairs(text string, of func(string, func(Pair) bool)) (out []string) {
	of(text, func(p Pair) bool {
		s := p.Key.Cut(text)
		if p.Value.Start >= 0 {
			s += "→" + p.Value.Cut(text)
		}
		out = append(out, s)
		return true
	})
	return out
}

func TestPairs(t *testing.T) {
	if diff := cmp.Diff([]string{"a→1", "b", "c→d=e", "→x"}, pairs("a=1&b&&c=d=e&=x&", Pairs)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a→1", "b→\"2\"", "c"}, pairs(" a=1;b=\"2\" ; c;", Cookies)); diff != "" {
		t.Error(diff)
	}
}

func TestParam(t *testing.T) {
	for _, tc := range []struct{ value, name, want string }{
		{`form-data; name="a;b"; filename=x.txt`, "name", "a;b"},
		{`form-data; name="a;b"; filename=x.txt`, "FileName", "x.txt"},
		{`form-data; name="a\"b"`, "name", `a\"b`},
		{`form-data; other; name = y `, "name", "y"},
		{`form-data; name="open`, "name", "open"},
		{`form-data`, "name", ""},
		{`multipart/form-data; boundary=`, "boundary", ""},
	} {
		s, _ := Param(tc.value, tc.name)
		if got := s.Cut(tc.value); got != tc.want {
			t.Errorf("Param(%q, %s) = %q; want %q", tc.value, tc.name, got, tc.want)
		}
	}
	if got := Boundary(`Multipart/Form-Data; Boundary="a b"`); got != "a b" {
		t.Errorf("Boundary = %q", got)
	}
	for contentType, want := range map[string]struct {
		boundary string
		one      bool
	}{
		"multipart/form-data; boundary=B":              {"B", true},
		"multipart/form-data; boundary=\"B\"; x=y":     {"B", true},
		"multipart/form-data, boundary=B":              {"B", true},
		"multipart/form-data boundary=B":               {"B", true},
		"multipart/form-data; boundary=B; boundary=B":  {"B", true},
		"multipart/form-data; boundary=B; boundary=C":  {"B", false},
		"multipart/form-data; boundary=B,C":            {"B,C", false},
		"multipart/form-data; xboundary=C; boundary=B": {"B", false},
		"multipart/form-data; charset=x":               {"", true},
		"text/plain; boundary=B; boundary=C":           {"", false},
	} {
		if got := Boundary(contentType); got != want.boundary || OneBoundary(contentType) != want.one {
			t.Errorf("boundary of %q: %q, one %t; want %v", contentType, got, OneBoundary(contentType), want)
		}
	}
	if got := Boundary("text/plain; boundary=x"); got != "" {
		t.Errorf("Boundary of text = %q", got)
	}
}

func TestParts(t *testing.T) {
	for _, tc := range []struct {
		text     string
		want     []string // headers|content
		complete bool
	}{
		{"--B\r\nA: b\r\n\r\nhello\r\n--B--", []string{"A: b\r\n|hello"}, true},
		{"pre\r\n--B\r\nA: b\r\n\r\n1\r\n--B \r\n\r\n2\r\n--B--\r\nepi", []string{"A: b\r\n|1", "|2"}, true},
		{"--B\r\n Content-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--B--", []string{" Content-Disposition: form-data; name=\"x\"\r\n|"}, true},
		{"--B\nA: b\n\nhello\n--B--\n", []string{"A: b\n|hello"}, true},
		{"--B\r\nA: b\r\n\r\nhello", []string{"A: b\r\n|hello"}, false},
		{"--B\r\nA: b", []string{"A: b|"}, false},
		{"--B\r\nA: b\r\n--B--", []string{"A: b\r\n|"}, true},
		{"--BB\r\n\r\nx\r\n--B\r\n\r\na--B\r\n--B--", []string{"|a--B"}, true},
		{"--B\r\n\r\n1\r\n--B--\r\n--B\r\nA: b\r\n\r\n2\r\n--B--\r\n--B--\r\nx", []string{"|1", "A: b\r\n|2"}, true},
		{"--B--\r\n--B\r\n\r\n2", []string{"|2"}, true},
		{"nothing", nil, false}, {"--B--", nil, true}, {"--B", []string{"|"}, false},
	} {
		var got []string
		m := Parts(tc.text, "B", 10, func(p Part) bool {
			got = append(got, p.Headers.Cut(tc.text)+"|"+p.Content.Cut(tc.text))
			return true
		})
		if diff := cmp.Diff(tc.want, got); diff != "" || m.Complete != tc.complete {
			t.Errorf("Parts(%q): complete %t; want %t; parts (-want +got):\n%s", tc.text, m.Complete, tc.complete, diff)
		}
	}
}

func TestFields(t *testing.T) {
	text := " First: x\r\nA: b\r\n c\r\nno colon\r\nD :e"
	var got []string
	Fields(text, Span{0, len(text)}, func(f Field) bool {
		got = append(got, f.Name.Cut(text)+"|"+f.Value.Cut(text))
		return true
	})
	if diff := cmp.Diff([]string{" First|x", "A|b\r\n c", "|no colon", "D |e"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzParts compares with another reader of multipart bodies: where it reads the
// body to its end, so do we, and find the same parts.
// exact says whether lines end in CRLF only and the boundary stands in whole
// delimiters only (RFC 2046 section 5.1.1, without padding).
func exact(text, boundary string) bool {
	if strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\n") {
		return false
	}
	all := strings.Count(text, "--"+boundary)
	for _, line := range strings.Split(text, "\r\n") {
		if line == "--"+boundary || line == "--"+boundary+"--" {
			all--
		}
	}
	return all == 0
}

func FuzzParts(f *testing.F) {
	f.Add("--B\r\nA: b\r\n\r\nhello\r\n--B--", "B")
	f.Add("pre\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B \r\n\r\n2\r\n--B--\r\nepi", "B")
	f.Add("--B\n\n\n--B\n--B--", "B")
	f.Fuzz(func(t *testing.T, text, boundary string) {
		if boundary == "" || strings.ContainsAny(boundary, " \t\r\n-") {
			return
		}
		var ours [][]byte
		var starts []int
		last := 0
		m := Parts(text, boundary, 1000, func(p Part) bool {
			if p.All.Start < last || p.Headers.Start > p.Headers.End || p.Content.Start > p.Content.End || p.Content.End > p.All.End || p.All.End > len(text) {
				t.Fatalf("part out of place: %+v", p)
			}
			Fields(text, p.Headers, func(f Field) bool {
				if f.Line.Start > f.Line.End || f.Value.Start > f.Value.End {
					t.Fatalf("field out of place: %+v", f)
				}
				return true
			})
			last = p.All.End
			ours, starts = append(ours, []byte(p.Content.Cut(text))), append(starts, p.All.Start)
			return true
		})
		for len(starts) > 0 && starts[len(starts)-1] >= m.Epilogue.Start { // the other reader stops at the end
			starts, ours = starts[:len(starts)-1], ours[:len(starts)-1]
		}
		if !exact(text, boundary) {
			return // readers differ in what else is a delimiter; we take more for one than this one does
		}
		r := multipart.NewReader(strings.NewReader(text), boundary)
		for i := 0; ; i++ {
			p, err := r.NextRawPart()
			if err == io.EOF && !strings.Contains(text, "--"+boundary+"--") {
				return // the text ends in the fields of a part, which it tells like an end
			}
			if err == io.EOF {
				if !m.Complete || i != len(ours) {
					t.Fatalf("%q: %d parts, complete %t; mime/multipart finds %d", text, len(ours), m.Complete, i)
				}
				return
			}
			if err != nil {
				return
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return
			}
			if i >= len(ours) || !bytes.Equal(b, ours[i]) {
				t.Fatalf("%q: part %d is %q; mime/multipart reads %q", text, i, ours, b)
			}
		}
	})
}

func FuzzParam(f *testing.F) {
	f.Add(`form-data; name="a\"b"; filename*=utf-8''x`, "name")
	f.Fuzz(func(t *testing.T, value, name string) {
		s, ok := Param(value, name)
		if ok && (s.Start < 0 || s.End < s.Start || s.End > len(value)) {
			t.Fatalf("Param(%q, %q) = %v", value, name, s)
		}
		_, theirs, err := mime.ParseMediaType(value)
		want, have := theirs["boundary"]
		if err != nil || !have || strings.ContainsAny(value, "\\*") {
			return
		}
		if s, _ := Param(value, "boundary"); s.Cut(value) != want {
			t.Errorf("boundary of %q: %q; mime reads %q", value, s.Cut(value), want)
		}
	})
}
