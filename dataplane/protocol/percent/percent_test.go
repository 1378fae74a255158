package percent

import (
	"net/url"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		in   string
		plus bool
		want string
	}{
		{"", false, ""}, {"plain", true, "plain"}, {"a%20b", false, "a b"}, {"a+b", false, "a+b"}, {"a+b%2B", true, "a b+"},
		{"%2e%2E/", false, "../"}, {"%", false, "%"}, {"%4", false, "%4"}, {"%zz%41", false, "%zzA"}, {"%%34%31", false, "%41"},
		{"%00%ff", false, "\x00\xff"}, {"%252e", false, "%2e"},
	} {
		if got := Decode(tc.in, tc.plus); got != tc.want {
			t.Errorf("Decode(%q, %t) = %q; want %q", tc.in, tc.plus, got, tc.want)
		}
	}
}

func TestDecodeAll(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		rounds   int
	}{{"a", "a", 0}, {"%2e", ".", 1}, {"%252e", ".", 2}, {"%%32%65", ".", 2}, {"%25252e%2f", "./", 3}} {
		if got, n := DecodeAll(tc.in); got != tc.want || n != tc.rounds {
			t.Errorf("DecodeAll(%q) = %q, %d; want %q, %d", tc.in, got, n, tc.want, tc.rounds)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"a%20b+c", "%", "%4", "%%41", "%ff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if want, err := url.QueryUnescape(s); err == nil && Decode(s, true) != want {
			t.Errorf("Decode(%q) = %q; net/url %q", s, Decode(s, true), want)
		}
		if got := Decode(Encode(s, ""), true); got != s {
			t.Errorf("Decode(Encode(%q)) = %q", s, got)
		}
	})
}
