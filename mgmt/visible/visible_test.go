package visible

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// lengthApart leaves Bytes to the fuzz target, which adds them up.
var lengthApart = cmpopts.IgnoreFields(Piece{}, "Bytes")

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
			[]Piece{{Text: "a=12;b"}}},
		{"same", "x", "x", []Piece{{Text: "x"}}, []Piece{{Text: "x"}}},
		{"nothing", "", "", nil, nil},
		{"repeated byte is not counted twice", "aa", "aaa",
			[]Piece{{Text: "aa"}}, []Piece{{Text: "aa"}, {Text: "a", Changed: true}}},
		{"bytes that are no text", "\xff\x00A\\x41", "\xff",
			[]Piece{{Text: `\xff`, Escape: true}, {Text: `\x00`, Escape: true, Changed: true}, {Text: `A\x41`, Changed: true}},
			[]Piece{{Text: `\xff`, Escape: true}}},
		{"two characters put in", `f="a";d=".t"`, `f="a\";d=\".t"`,
			[]Piece{{Text: `f="a";d=".t"`}},
			[]Piece{{Text: `f="a`}, {Text: `\`, Changed: true}, {Text: `";d=`}, {Text: `\`, Changed: true}, {Text: `".t"`}}},
		{"hardly anything in common", "abcdefgh", "hXYZWVUT",
			[]Piece{{Text: "abcdefgh", Changed: true}}, []Piece{{Text: "hXYZWVUT", Changed: true}}},
		{"two lines", "\n\n", "",
			[]Piece{{Text: `\n`, Escape: true, Changed: true, Break: true}, {Text: `\n`, Escape: true, Changed: true, Break: true}}, nil},
	}
	for _, tt := range tests {
		b, a := Pair([]byte(tt.before), []byte(tt.after))
		if d := cmp.Diff(tt.b, b.Pieces, lengthApart); d != "" {
			t.Errorf("%s: before (-want +got):\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.a, a.Pieces, lengthApart); d != "" {
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

func TestBounds(t *testing.T) {
	long := strings.Repeat("a", 5000)
	tests := []struct {
		name, before, after  string
		skipped, shown, rest int // of before
	}{
		{"late difference", long[:3000] + "X" + long, long[:3000] + long, 3000 - lead, MaxBytes, 5000 + lead + 1 - MaxBytes},
		{"same throughout", long, long, 0, MaxBytes, 5000 - MaxBytes},
		{"difference at once", "X" + long, long, 0, MaxBytes, 5001 - MaxBytes},
		{"difference after little", long[:200] + "X", long[:200], 0, 201, 0},
		{"many small pieces", strings.Repeat("a\x00", 400), "", 0, maxPieces, 800 - maxPieces},
	}
	for _, tt := range tests {
		b, _ := Pair([]byte(tt.before), []byte(tt.after))
		if got := len(tt.before) - b.Skipped - b.Rest; b.Skipped != tt.skipped || got != tt.shown || b.Rest != tt.rest {
			t.Errorf("%s: skipped, shown, rest = %d, %d, %d; want %d, %d, %d", tt.name, b.Skipped, got, b.Rest, tt.skipped, tt.shown, tt.rest)
		}
	}
}

// FuzzLine checks that a line holds nothing but visible characters.
func FuzzLine(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff")
	f.Fuzz(func(t *testing.T, in string) {
		out := Line(in)
		if !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("Line(%q) = %q; want graphic characters only", in, out)
		}
	})
}

// FuzzPair checks that what is shown is the bytes, in order, none of them raw,
// and that what is not marked is the same on both sides.
func FuzzPair(f *testing.F) {
	f.Add([]byte("X: <script>\r\n"), []byte(""))
	f.Add([]byte("\xff\x00aa"), []byte("\xffa"))
	f.Add(bytes.Repeat([]byte("a\n"), 900), bytes.Repeat([]byte("a"), 900))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		b, a := Pair(before, after)
		if got, want := same(b), same(a); b.Rest == 0 && a.Rest == 0 && got != want {
			t.Errorf("unmarked text differs: %q, %q", got, want)
		}
		check(t, b, before)
		check(t, a, after)
	})
}

func check(t *testing.T, s Side, raw []byte) {
	t.Helper()
	var text strings.Builder
	at := s.Skipped
	for _, p := range s.Pieces {
		text.WriteString(p.Text)
		at += p.Bytes
	}
	if at+s.Rest != len(raw) || s.Rest < 0 || len(s.Pieces) > maxPieces || at-s.Skipped > MaxBytes {
		t.Fatalf("%d skipped, up to %d shown in %d pieces, rest %d of %d bytes", s.Skipped, at, len(s.Pieces), s.Rest, len(raw))
	}
	if printable([]byte(text.String())) != text.Len() {
		t.Errorf("%q shows an unprintable byte", text.String())
	}
	if want := escaped(raw[s.Skipped:at]); text.String() != want {
		t.Errorf("shown: %q; want %q", text.String(), want)
	}
}

func same(s Side) string {
	var b strings.Builder
	for _, p := range s.Pieces {
		if !p.Changed {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func escaped(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		if isPrintable(rune(c)) {
			b.WriteByte(c)
		} else {
			b.WriteString(escape([]byte{c}))
		}
	}
	return b.String()
}
