package visible

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPair(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		b, a          []Piece
	}{
		{"removed header", "X: <script>\r\n", "",
			[]Piece{{Text: "X: <script>", Changed: true}, {Text: `\r\n`, Escape: true, Changed: true, Break: true}}, nil},
		{"one field cut", "a=12345;b", "a=12;b",
			[]Piece{{Text: "a=12"}, {Text: "345", Changed: true}, {Text: ";b"}},
			[]Piece{{Text: "a=12"}, {Text: ";b"}}},
		{"same", "x", "x", []Piece{{Text: "x"}}, []Piece{{Text: "x"}}},
		{"nothing", "", "", nil, nil},
		{"repeated byte is not counted twice", "aa", "aaa",
			[]Piece{{Text: "aa"}}, []Piece{{Text: "aa"}, {Text: "a", Changed: true}}},
		{"bytes that are no text", "\xff\x00A\\x41", "\xff",
			[]Piece{{Text: `\xff`, Escape: true}, {Text: `\x00`, Escape: true, Changed: true}, {Text: `A\x41`, Changed: true}},
			[]Piece{{Text: `\xff`, Escape: true}}},
		{"two lines", "\n\n", "",
			[]Piece{{Text: `\n`, Escape: true, Changed: true, Break: true}, {Text: `\n`, Escape: true, Changed: true, Break: true}}, nil},
	}
	for _, tt := range tests {
		b, a := Pair([]byte(tt.before), []byte(tt.after))
		if d := cmp.Diff(tt.b, b); d != "" {
			t.Errorf("%s: before (-want +got):\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.a, a); d != "" {
			t.Errorf("%s: after (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestLine(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain Grüße 世界", "plain Grüße 世界"},
		{"a\x1b[31mb\r\n", `a\u{1b}[31mb\u{d}\u{a}`},
		{"exe.\u202etxt", `exe.\u{202e}txt`},
		{"zero\u200bwidth", `zero\u{200b}width`},
		{"bad\xff", `bad\xff`},
		{"\uFFFD", `\u{fffd}`},
	}
	for _, tt := range tests {
		if got := Line(tt.in); got != tt.want {
			t.Errorf("Line(%q) = %q; want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzPair checks that no byte is lost, none is shown raw, and that what is
// not marked is the same on both sides.
func FuzzPair(f *testing.F) {
	f.Add([]byte("X: <script>\r\n"), []byte(""))
	f.Add([]byte("\xff\x00aa"), []byte("\xffa"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		b, a := Pair(before, after)
		if got, want := same(b), same(a); got != want {
			t.Errorf("unmarked text differs: %q, %q", got, want)
		}
		for i, side := range [][]Piece{b, a} {
			var text strings.Builder
			for _, p := range side {
				text.WriteString(p.Text)
			}
			raw := [][]byte{before, after}[i]
			if printable([]byte(text.String())) != text.Len() {
				t.Errorf("%q shows an unprintable byte", text.String())
			}
			if want := len(escaped(raw)); text.Len() != want {
				t.Errorf("length of %q = %d; want %d", text.String(), text.Len(), want)
			}
		}
	})
}

func same(p []Piece) string {
	var s strings.Builder
	for _, v := range p {
		if !v.Changed {
			s.WriteString(v.Text)
		}
	}
	return s.String()
}

func escaped(raw []byte) string {
	var b bytes.Buffer
	for _, c := range raw {
		if isPrintable(rune(c)) {
			b.WriteByte(c)
		} else {
			b.WriteString(escape([]byte{c}))
		}
	}
	return b.String()
}
