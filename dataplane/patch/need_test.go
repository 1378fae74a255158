package patch

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// holds evaluates what a need says of texts, for a value.
func (n *need) holds(value string) bool {
	switch {
	case n == nil:
		return true
	case n.op == needAll:
		for _, a := range n.args {
			if !a.holds(value) {
				return false
			}
		}
		return true
	case n.op == needAny:
		for _, a := range n.args {
			if a.holds(value) {
				return true
			}
		}
		return false
	case n.how == claimHas:
		for _, t := range n.texts {
			if strings.Contains(lowerASCII(value), t) {
				return true
			}
		}
		return false
	}
	return true
}

// FuzzRegexpNeed: what matches a pattern has what the pattern is said to need.
func FuzzRegexpNeed(f *testing.F) {
	for _, p := range []string{
		"abc", "(?i)sKy", "a|bc|", "x(ab|cd)+y", "[ab]c[de]", "^GET /(a|b)$", "a{2,3}b", "(?:ab){0,2}c", "\\bfoo\\b.*bar", "[^a]b", "a?b?c",
		"[.]id[aq]([/.]|$)", "(?i)[$][{][^}]*([$][{]|jndi)", "^ *#|\\[#[^\\]]*\\]", "\\x{fffd}a", "(?i)\u00e9k", "(?s).a.", "[a-z]{3}x", "(a|b)(c|d)(e|f)(g|h)(i|j)",
	} {
		for _, v := range []string{"abc", "SKY", "s\u212ay", "xabcdy", "ACE", "GET /b", "aab", "c", "foo bar", "ab\xffa", "É\u212a", "x.idq/", "${${", "a[#b]", "acegi"} {
			f.Add(p, v)
		}
	}
	s := subject{ok: true, name: "value", typ: protocol.String}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		re, err := regexp.Compile(pattern)
		if err != nil || !re.MatchString(value) {
			return
		}
		if n := s.regexp(pattern); !n.holds(value) {
			t.Errorf("%q matches %q, but not what it needs: %s", value, pattern, spelt(n))
		}
	})
}

// spelt writes a need for failures.
func spelt(n *need) string {
	if n == nil {
		return "anything"
	}
	var args []string
	for _, a := range n.args {
		args = append(args, spelt(a))
	}
	switch n.op {
	case needAll:
		return "(" + strings.Join(args, " and ") + ")"
	case needAny:
		return "(" + strings.Join(args, " or ") + ")"
	}
	return fmt.Sprintf("%q", n.texts)
}

// plainLook looks for texts as they are, and finds those with a "z" worth most.
func plainLook() Look {
	written := map[[2]string]protocol.Writing{
		{"request.line", "path"}: protocol.Escaped, {"request.header", "name"}: protocol.FieldName,
		{"request.header", "value"}: protocol.AsIs, {"request.header", "index"}: protocol.Octets,
		{"", "request.path"}: protocol.AsIs, {"", "request.headers"}: protocol.Fields, {"", "response.status"}: protocol.Status,
		{"response.header", "name"}: protocol.FieldName, {"response.header", "value"}: protocol.AsIs,
	}
	return Look{
		Sight: protocol.Sight{
			Written: func(kind, name string) protocol.Writing { return written[[2]string{kind, name}] },
			Absent:  func(kind string) bool { return kind == "request.body" },
			Only: func(kind, name string) []any {
				if kind == "request.line" && name == "method" {
					return []any{"GET"}
				}
				return nil
			},
		},
		Worth:       func(text string) int { return 1 + 9*strings.Count(text, "z") },
		WorthLength: func(least int) int { return 5 },
	}
}

// TestTexts: what is to be looked for, by condition.
func TestTexts(t *testing.T) {
	all := []string{"WP-2099-1"}
	const q, a = session.ToServer, session.ToClient
	for _, c := range []struct {
		at, when string
		dir      session.Direction
		of       []string
		long     int
		every    []string
		back     bool
	}{
		{"request.header", `name == "x-a"`, q, []string{"\nx-a:"}, 0, nil, false},
		{"request.header", `name.startsWith("x-a")`, q, []string{"x-a"}, 0, nil, false},
		{"request.header", `name == "x-a" && value.contains("zz")`, q, []string{"zz"}, 0, nil, false},
		{"request.header", `name == "x-a" || value.contains("zz")`, q, []string{"\nx-a:", "zz"}, 0, nil, false},
		{"request.header", `value.matches("(?i)a[bc]d|zz")`, q, []string{"abd", "acd", "zz"}, 0, nil, false},
		{"request.header", `value.matches("[a-z]*")`, q, nil, 0, all, false},
		{"request.header", `name != "x-a"`, q, nil, 0, all, false},
		{"request.header", `!(name != "x-a" || !value.contains("z"))`, q, []string{"z"}, 0, nil, false},
		{"request.header", `name == "x-a" ? value == "b" : value == "z"`, q, []string{"\nx-a:", "z"}, 0, nil, false},
		{"request.header", `value.split(";")[0].lowerAscii() == "Ab"`, q, []string{"ab"}, 0, nil, false},
		{"request.header", `"te" in request.headers`, q, []string{"\nte:"}, 0, nil, false},
		{"request.header", `request.headers.first("te").endsWith("AB")`, q, []string{"ab"}, 0, nil, false},
		{"request.header", `name == "x-a" && value.count("ab") >= 7`, q, nil, 14, nil, false},
		{"request.header", `size(value) > 99`, q, nil, 100, nil, false},
		{"request.header", `99 < index`, q, nil, 100, nil, false},
		{"request.header", `index < 99`, q, nil, 0, all, false},
		{"request.header", `octets(value.lowerAscii()) > 99`, q, nil, 0, all, false},
		{"request.header", `name == "x-a" && rate("a", value, 60) > 3`, q, []string{"\nx-a:"}, 0, nil, false},
		{"request.header", `rate("a", value, 60) > 3 && name == "x-a"`, q, nil, 0, all, false},
		{"request.header", `[value].exists(name, name == "x-a")`, q, nil, 0, all, false},
		{"request.header", `cel.bind(v, value.lowerAscii(), name == "x-a" && v.contains("zz"))`, q, []string{"zz"}, 0, nil, false},
		{"request.header", `cel.bind(a, name == "x-a", cel.bind(z, value.contains("z"), a || z))`, q, []string{"\nx-a:", "z"}, 0, nil, false},
		{"request.header", `cel.bind(list, ["ab", "cd"], value in list)`, q, []string{"ab", "cd"}, 0, nil, false},
		{"request.header", `cel.bind(n, name == "x-a", !n)`, q, nil, 0, all, false},
		{"request.header", `cel.bind(name, value, name == "x-a")`, q, []string{"x-a"}, 0, nil, false},
		{"request.header", `cel.bind(n, [value], n.exists(value, value == "x-a"))`, q, nil, 0, all, false},
		{"request.header", `cel.bind(many, rate("a", value, 60) > 3, name == "x-a" && many)`, q, []string{"\nx-a:"}, 0, nil, false},
		{"request.header", `cel.bind(many, rate("a", value, 60) > 3, many && name == "x-a")`, q, nil, 0, all, false},
		{"request.line", `path == "/az"`, q, []string{"%2f", "%61", "%41", "%7a", "%5a", "/az"}, 0, nil, false},
		{"request.line", `path == "/quiz0"`, q, []string{"%71", "%51", "%75", "%55", "%69", "%49", "%7a", "%5a", "quiz"}, 0, nil, false},
		{"request.line", `method == "POST"`, q, nil, 0, nil, false},
		{"request.line", `!(method in ["GET", "HEAD"])`, q, nil, 0, nil, false},
		{"request.line", `method == "GET"`, q, nil, 0, all, false},
		{"response.header", `response.status == 415`, a, []string{"http/1.1 415"}, 0, nil, false},
		{"response.header", `name == "x" && request.path == "/z"`, a, []string{"\nx:"}, 0, nil, true},
	} {
		s := mustCompile(t, nil, mustParse(t, "WP-2099-1", "  - at: "+c.at+"\n    do: report\n    when: |-\n      "+c.when))
		got := s.Texts("http", plainLook())
		want := Texts{LooksBack: c.back}
		want.Of[c.dir], want.Long[c.dir], want.Every[c.dir] = c.of, c.long, c.every
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Texts of %s (-want +got):\n%s", c.when, diff)
		}
	}
}
