package http

import (
	"testing"

	"wirepatch/dataplane/protocol/jsontext"
	"wirepatch/dataplane/protocol/percent"
)

// FuzzUnescaper: escapes are undone as they come as they are of a whole.
func FuzzUnescaper(f *testing.F) {
	for _, s := range []string{`a\n\/\"\\u0041\u0041\u00e9`, `\ud83d\ude00\ud83d\ud83d\ude00\ude00`, `\ud800x\ud800\n\u\u0041\u00\u0041\u00g\q`, "%41%4%41%%41%4g+%2B%", `\ud800`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = "x" + text + "|" // no quotes around it, and nothing is left behind the end
		for _, u := range []unescaper{{}, {percent: true}} {
			want := jsontext.Unquote(text)
			if u.percent {
				want = percent.Decode(text, true)
			}
			var got []byte
			for i := range len(text) {
				before := len(got)
				if got = u.next(got, text[i]); len(got) > before+mostAtOnce {
					t.Errorf("%q: %d octets at once", text, len(got)-before)
				}
			}
			if string(got) != want {
				t.Errorf("%q, percent %t: got %q; want %q", text, u.percent, got, want)
			}
		}
	})
}
