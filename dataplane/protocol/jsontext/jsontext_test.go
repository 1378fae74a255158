package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var limits = Limits{Values: 1000, Depth: 100}

func describe(text string, vs []Value) (out []string) {
	for _, v := range vs {
		key := "-"
		if v.Key >= 0 {
			key = text[v.Key:v.KeyEnd]
		}
		s := fmt.Sprintf("%s %s %s %d", key, v.Type, text[v.Start:v.End], v.Depth)
		if v.Twice {
			s += " twice"
		}
		out = append(out, s)
	}
	return out
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		text string
		err  string
		want []string
	}{
		{`{"a":1}`, "", []string{`- object {"a":1} 0`, `"a" number 1 1`}},
		{` [true, null,"x\"y"] `, "", []string{`- array [true, null,"x\"y"] 0`, `- boolean true 1`, `- null null 1`, `- string "x\"y" 1`}},
		{`{"a":{"b":[{}]},"a":2}`, "", []string{`- object {"a":{"b":[{}]},"a":2} 0`, `"a" object {"b":[{}]} 1`, `"b" array [{}] 2`, `- object {} 3`, `"a" number 2 1 twice`}},
		{`{"":}`, "no value behind a name at byte 4", []string{`- object {"":} 0`, `"" missing  1`}},
		{`{"a" 1}`, "no colon behind a name at byte 5", []string{`- object {"a" 1} 0`, `"a" missing  1`}},
		{`{"a":1,}`, "no name at byte 7", []string{`- object {"a":1,} 0`, `"a" number 1 1`}},
		{`[1 2]`, "no comma or end at byte 3", []string{`- array [1 2] 0`, `- number 1 1`}},
		{`[01]`, "number out of form at byte 3", []string{`- array [01] 0`, `- number 01 1`}},
		{`"\x"`, "escape out of form at byte 4", []string{`- string "\x" 0`}},
		{`{"a":1} x`, "text behind the value at byte 8", []string{`- object {"a":1} 0`, `"a" number 1 1`}},
		{"", "no value at byte 0", nil},
		{`{"a":"b`, "string without an end at byte 5", []string{`- object {"a":"b 0`, `"a" string "b 1`}},
		{"\xef\xbb\xbf[]", "", []string{`- array [] 0`}},
	} {
		vs, _, err := Scan(tc.text, nil, limits)
		if diff := cmp.Diff(tc.want, describe(tc.text, vs)); diff != "" {
			t.Errorf("Scan(%q) (-want +got):\n%s", tc.text, diff)
		}
		if got := fmt.Sprint(err); err == nil && tc.err != "" || err != nil && got != tc.err {
			t.Errorf("Scan(%q): error %v; want %q", tc.text, err, tc.err)
		}
	}
}

func TestNeighbours(t *testing.T) {
	text := `{"a":1,"b":{"x":0},"c":3}`
	vs, deepest, err := Scan(text, nil, limits)
	if err != nil || deepest != 2 {
		t.Fatalf("Scan: deepest %d, %v; want 2", deepest, err)
	}
	for i, want := range []string{"-1 -1 0", "-1 2 0", "1 4 1", "-1 -1 0", "2 -1 2"} {
		if got := fmt.Sprintf("%d %d %d", vs[i].Prev, vs[i].Next, vs[i].Index); got != want {
			t.Errorf("value %d has neighbours %s; want %s", i, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	if vs, _, err := Scan("["+strings.Repeat("1,", 5000)+"1]", nil, limits); err == nil || len(vs) != 1000 {
		t.Errorf("5000 values: %d, %v; want 1000 and an error", len(vs), err)
	}
	if _, deepest, err := Scan(strings.Repeat("[", 5000), nil, limits); err == nil || deepest != 101 {
		t.Errorf("deep nesting: %d, %v; want 101 and an error", deepest, err)
	}
}

func TestUnquote(t *testing.T) {
	for q, want := range map[string]string{
		`"a"`: "a", `"\u0061\n\/"`: "a\n/", `"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\q\u12"`: `\q\u12`, `"\"\\"`: `"\`,
	} {
		if got := Unquote(q); got != want {
			t.Errorf("Unquote(%s) = %q; want %q", q, got, want)
		}
	}
	if got := Quote("a\"\\\n\xff"); got != "\"a\\\"\\\\\\u000a\xff\"" {
		t.Errorf("Quote = %q", got)
	}
}

// FuzzScan compares with encoding/json: what one takes for JSON, so does the
// other, and strings read the same.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,null,"\u0041"]}`, `{"":}`, `[1 2]`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, `-`, `1.`, `[`, "\"\x01\"", `01`, `1e`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vs, deepest, err := Scan(text, nil, Limits{Values: 1 << 20, Depth: 9000})
		for i := range vs {
			v := &vs[i]
			if v.Start < 0 || v.End < v.Start || int(v.End) > len(text) || v.Key > v.KeyEnd || v.Parent >= int32(i) || int(v.Depth) > deepest {
				t.Fatalf("%q: value %d out of place: %+v", text, i, *v)
			}
		}
		if strings.HasPrefix(text, "\xef\xbb\xbf") {
			return
		}
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			t.Fatalf("%q: error %v; encoding/json finds it valid: %t", text, err, valid)
		}
		if err != nil || len(vs) != 1 || vs[0].Type != String || !utf8.ValidString(text) {
			return
		}
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got := Unquote(text[vs[0].Start:vs[0].End]); got != want {
			t.Errorf("Unquote(%s) = %q; encoding/json reads %q", text, got, want)
		}
		if got := Unquote(Quote(want)); got != want {
			t.Errorf("Unquote(Quote(%q)) = %q", want, got)
		}
	})
}
