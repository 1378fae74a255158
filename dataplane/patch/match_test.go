package patch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/protocol"
)

func TestMatch(t *testing.T) {
	get := request("GET", "/a", "Host", "h", "X-Long", "abcdef", "Cookie", "$1 ${x}", "X-Long", "ab")
	tests := []struct {
		name, rule string
		want       []protocol.Correction
	}{
		{"remove, name without case", `{at: request.header, when: name == "host", do: {remove: element}}`,
			[]protocol.Correction{{Action: protocol.Remove, Element: 1, Name: "remove"}}},
		{"no such header", `{at: request.header, when: name == "origin", do: {remove: element}}`, nil},
		{"set with a template", `{at: request.header, when: name == "host", do: {set: {field: value, to: "${request.path}-$${x}-${1+1}-${ {'a': '}'}['a'] }"}}}`,
			[]protocol.Correction{{Action: protocol.Set, Element: 1, Name: "set", Field: "value", Value: "/a-${x}-2-}"}}},
		{"set to what it is", `{at: request.header, when: name == "host", do: {set: {field: value, to: "h"}}}`, nil},
		{"cut only what is longer", `{at: request.header, when: name == "x-long", do: {cut: {field: value, max: 3}}}`,
			[]protocol.Correction{{Action: protocol.Set, Element: 2, Name: "cut", Field: "value", Value: "abc"}}},
		{"replace with groups and a value with a dollar", `{at: request.header, do: {replace: {field: value, pattern: "^a(.)", with: "$1${request.headers.first('cookie')}"}}}`,
			[]protocol.Correction{
				{Action: protocol.Set, Element: 2, Name: "replace", Field: "value", Value: "b$1 ${x}cdef"},
				{Action: protocol.Set, Element: 4, Name: "replace", Field: "value", Value: "b$1 ${x}"}}},
		{"reject", `{at: request.line, when: 'path.startsWith("/a") && "cookie" in request.headers', do: {reject: {status: 403, reason: No, headers: [Date: "${date}", A: b], body: "x${method}", close: true}}}`,
			[]protocol.Correction{{Action: protocol.Reject, Element: 0, Name: "reject", Reply: &protocol.Reply{
				Status: 403, Reason: "No", Headers: [][2]string{{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"A", "b"}}, Body: "xGET", Close: true}}}},
		{"report on a variable", `{at: request.line, when: 'request.path == "/a"', do: report}`,
			[]protocol.Correction{{Action: protocol.Report, Name: "report"}}},
		{"either", `{at: request.header, when: 'name == "q" || value.contains("CDE") || value.lowerAscii().contains("cde")', do: reset}`,
			[]protocol.Correction{{Action: protocol.Reset, Element: 2, Name: "reset"}}},
		{"absent is empty", `{at: request.line, when: 'request.headers.first("origin") == "" && request.headers.values("x-long").size() == 2', do: reset}`,
			[]protocol.Correction{{Action: protocol.Reset, Name: "reset"}}},
		{"count, pathClean", `{at: request.line, when: '"a-b-c".count("-") == 2 && pathClean("/a/../b//c") == "/b/c"', do: report}`,
			[]protocol.Correction{{Action: protocol.Report, Name: "report"}}},
	}
	for _, tt := range tests {
		s := mustCompile(t, nil, mustParse(t, "WP-2099-1", "  - "+tt.rule))
		for i := range tt.want {
			tt.want[i].Definition, tt.want[i].Revision = "WP-2099-1", 1
		}
		if diff := cmp.Diff(tt.want, s.Match(get)); diff != "" {
			t.Errorf("%s: Match (-want +got):\n%s", tt.name, diff)
		}
		if n := s.Definitions()[0].Errors; n != 0 {
			t.Errorf("%s: %d evaluation errors; want none", tt.name, n)
		}
	}
}

// What one rule sets, the next one sees, also when only the new value concerns
// it; shadow changes nothing for the others, and after a removal none is asked.
func TestMatchInOrder(t *testing.T) {
	first := mustParse(t, "WP-2099-1", `  - {at: request.header, when: value == "one", do: {set: {field: value, to: two}}}`)
	second := mustParse(t, "WP-2099-2", `  - {at: request.header, when: value == "two", do: {set: {field: value, to: three}}}`)
	third := mustParse(t, "WP-2099-3", `  - {at: request.header, when: value == "three", do: {remove: element}}
  - {at: request.header, when: name == "x", do: report}`)
	for _, tt := range []struct {
		modes map[string]string
		want  string
	}{
		{nil, "WP-2099-1:three WP-2099-2:three(report) WP-2099-3:"},
		{map[string]string{"WP-2099-1": Shadow}, "WP-2099-1:two(shadow) WP-2099-3:(report)"},
		{map[string]string{"WP-2099-2": Off}, "WP-2099-1:two WP-2099-3:(report)"},
		{map[string]string{"WP-2099-3": Shadow}, "WP-2099-1:three WP-2099-2:three(report) WP-2099-3:(shadow) WP-2099-3:(shadow)(report)"},
	} {
		s := mustCompile(t, tt.modes, third, second, first)
		var got []string
		m := request("GET", "/", "X", "one")
		for _, c := range s.Match(m) {
			text := c.Definition + ":" + c.Value
			if c.Shadow {
				text += "(shadow)"
			}
			if c.Action == protocol.Report {
				text += "(report)"
			}
			got = append(got, text)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("Match with modes %v = %s; want %s", tt.modes, g, tt.want)
		}
		if v := m.Elements[1].Fields[1].Value; v != "one" {
			t.Errorf("Match changed the message: value is now %q", v)
		}
	}
}

// The owner's word on the mode goes before the definition's own.
func TestDefaultMode(t *testing.T) {
	for _, tt := range []struct {
		own   string
		modes map[string]string
		want  string
	}{
		{"", nil, Correct},
		{"default: off\n", nil, Off},
		{"default: shadow\n", nil, Shadow},
		{"default: off\n", map[string]string{"WP-2099-1": Correct}, Correct},
		{"", map[string]string{"WP-2099-1": Off}, Off},
	} {
		d := mustParse(t, "WP-2099-1", "  - {at: request.header, do: reset}\n"+tt.own)
		s := mustCompile(t, tt.modes, d)
		if got := s.Definitions()[0].Mode; got != tt.want {
			t.Errorf("mode with %q and settings %v = %q; want %q", tt.own, tt.modes, got, tt.want)
		}
		if got, want := s.Wants("request.header"), tt.want != Off; got != want {
			t.Errorf("in mode %s Wants = %v; want %v", tt.want, got, want)
		}
	}
}

func TestEvaluationErrorMatchesNothing(t *testing.T) {
	for _, when := range []string{
		`request.headers["absent"][0] == "x"`,
		`int(value) == 1`,
		`"a".repeat(100000000) == value`,
		`[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))`,
	} {
		s := mustCompile(t, nil, mustParse(t, "WP-2099-1", "  - at: request.header\n    do: report\n    when: |-\n      "+when))
		if got := s.Match(request("GET", "/", "A", "b")); got != nil {
			t.Errorf("Match with %s = %v; want nothing", when, got)
		}
		if n := s.Definitions()[0].Errors; n != 1 {
			t.Errorf("after %s: %d errors counted; want 1", when, n)
		}
	}
}

func TestSetIsSafeForManySessions(t *testing.T) {
	s := mustCompile(t, nil, mustParse(t, "WP-2099-1", `  - {at: request.header, when: name == "a" && value.contains("bad"), do: {set: {field: value, to: "${request.path}"}}}`))
	t.Run("group", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for n := range 200 {
					path := fmt.Sprintf("/%d/%d", i, n)
					got := s.Match(request("GET", path, "A", "is bad", "B", "bad"))
					if len(got) != 1 || got[0].Value != path {
						t.Fatalf("Match = %v; want one correction to %s", got, path)
					}
				}
			})
		}
	})
	if n := s.Definitions()[0].Corrections; n != 8*200 {
		t.Errorf("counted %d corrections; want %d", n, 8*200)
	}
}

// manyDefinitions makes n definitions on other headers, values and paths, with
// every kind of literal.
func manyDefinitions(t testing.TB, n int) []*Definition {
	var defs []*Definition
	for i := range n {
		rule := []string{
			`{at: request.header, when: 'name == "x-%d" && value.size() > 100', do: {remove: element}}`,
			`{at: request.header, when: 'name == "cookie" && value.contains("bad%d=")', do: {remove: element}}`,
			`{at: request.header, when: 'value.startsWith("evil/%d.")', do: {remove: element}}`,
			`{at: request.line, when: 'request.path.endsWith("/cgi-%d") && method == "POST"', do: reset}`,
		}[i%4]
		defs = append(defs, mustParse(t, fmt.Sprintf("WP-2099-%d", i), "  - "+fmt.Sprintf(rule, i)))
	}
	return defs
}

var harmless = request("GET", "/docs/index.html", "Host", "example.org", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)",
	"Accept", "text/html,application/xhtml+xml", "Cookie", "session=0123456789abcdef; theme=dark", "Accept-Language", "en-GB,en;q=0.5")

func TestNoAllocationWhenNothingMatches(t *testing.T) {
	s := mustCompile(t, nil, manyDefinitions(t, 200)...)
	if got := s.Match(harmless); got != nil {
		t.Fatalf("Match = %v; want nothing", got)
	}
	if n := testing.AllocsPerRun(100, func() { s.Match(harmless) }); n != 0 && !raceDetector {
		t.Errorf("Match of a harmless message makes %v allocations; want 0", n)
	}
	hit := request("POST", "/x/cgi-199", "X-196", strings.Repeat("a", 101), "Cookie", "a; BAD197=; bad197=", "A", "evil/198.")
	var ids []string
	for _, c := range s.Match(hit) {
		ids = append(ids, c.Definition)
	}
	if got := strings.Join(ids, " "); got != "WP-2099-199" {
		t.Errorf("Match = %s; want the reset alone", got)
	}
	hit.Elements = hit.Elements[1:]
	ids = nil
	for _, c := range s.Match(hit) {
		ids = append(ids, c.Definition)
	}
	if got, want := strings.Join(ids, " "), "WP-2099-196 WP-2099-197 WP-2099-198"; got != want {
		t.Errorf("Match = %s; want %s", got, want)
	}
}

func BenchmarkMatchNothing(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := mustCompile(b, nil, manyDefinitions(b, n)...)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				s.Match(harmless)
			}
		})
	}
}

func BenchmarkMatchOne(b *testing.B) {
	s := mustCompile(b, nil, manyDefinitions(b, 1000)...)
	m := request("GET", "/", "Host", "h", "Cookie", "bad997=1")
	b.ReportAllocs()
	for b.Loop() {
		s.Match(m)
	}
}
