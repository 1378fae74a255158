package patch

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// withSession makes a definition with session variables.
func withSession(t *testing.T, session, rules string) *Definition {
	t.Helper()
	d, err := Parse("t.yaml", []byte("session: "+session+"\n"+head+rules))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return d
}

func actionsOf(cs []protocol.Correction) string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprint(c.Element, ":", c.Rule))
	}
	return strings.Join(out, " ")
}

// A session variable is set by one message and read by a later one, and by later
// elements of the same.
func TestSessionVariables(t *testing.T) {
	set := mustCompile(t, nil, withSession(t, "{seen: 0, who: '', inside: false}", `
  - {at: request.header, when: name == "login", do: {remember: {name: inside, value: "true"}}}
  - {at: request.header, when: name == "login", do: {remember: {name: who, value: "value + '!'"}}}
  - {at: request.header, do: {remember: {name: seen, value: session.seen + 1}}}
  - {at: request.line, when: session.inside && session.who == "ann!" && session.seen == 2, do: reset}
`))
	one, two := new(protocol.Memory), new(protocol.Memory)
	ask := func(m *protocol.Message, mem *protocol.Memory) string {
		m.Memory = mem
		return actionsOf(set.Match(m))
	}
	for _, step := range []struct {
		mem  *protocol.Memory
		m    *protocol.Message
		want string
	}{
		{one, request("GET", "/", "a", "1", "Login", "ann"), ""},
		{two, request("GET", "/"), ""},
		{one, request("GET", "/"), "0:3"},
		{nil, request("GET", "/", "login", "ann"), ""},
	} {
		if got := ask(step.m, step.mem); got != step.want {
			t.Errorf("Match = %q; want %q", got, step.want)
		}
	}
}

func TestSessionFaults(t *testing.T) {
	for _, tt := range []struct{ session, rules, want string }{
		{"{a: 0}", "  - {at: request.line, do: {remember: {name: b, value: '1'}}}", `want a name that the definition's session lists: a`},
		{"{a: 0}", "  - {at: request.line, do: {remember: {name: a, value: \"'x'\"}}}", `expression has type string; want int`},
		{"{a: 0}", "  - {at: request.line, when: session.b == 1, do: reset}", `session.a`},
	} {
		_, errs := Compile([]*Definition{withSession(t, tt.session, tt.rules)}, testSchemas, nil)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("Compile = %v; want an error with %q", errs, tt.want)
		}
	}
	for _, bad := range []string{"{A: 0}", "{}", "[a]", "{a: [1]}"} {
		if _, err := Parse("t.yaml", []byte("session: "+bad+"\n"+head+"  - {at: request.line, do: reset}")); err == nil {
			t.Errorf("Parse takes session: %s", bad)
		}
	}
}

// Elements are counted and measured within their message, also one that is
// shown in parts.
func TestPlaces(t *testing.T) {
	set := mustCompile(t, nil, mustParse(t, "WP-2099-1", `
  - {at: request.header, when: element.index >= 2, do: report}
  - {at: request.header, when: element.total > 8, do: report}
  - {at: request.header, when: element.count == 3 && element.raw == "bb" && element.size == 2, do: report}
`))
	m := request("GET", "/", "a", "1", "b", "2", "c", "3")
	m.Data = []byte("xaaaabbcccc")
	for i, span := range []protocol.Span{{Start: 0, End: 1}, {Start: 1, End: 5}, {Start: 5, End: 7}, {Start: 7, End: 11}} {
		m.Elements[i].Span = span
	}
	if got := actionsOf(set.Match(m)); got != "2:2 3:0 3:1" {
		t.Errorf("Match = %q; want the third header by count and size, the second by its octets", got)
	}
	parts := func(continues bool) *protocol.Message {
		m := request("GET", "/", "a", "1")
		m.Continues = continues
		return m
	}
	mem := new(protocol.Memory)
	var got []string
	for _, continues := range []bool{false, true, true, false} {
		m := parts(continues)
		m.Memory = mem
		got = append(got, actionsOf(set.Match(m)))
	}
	if want := ",,1:0,"; strings.Join(got, ",") != want {
		t.Errorf("in parts: %q; want %q", got, want)
	}
}

func TestRate(t *testing.T) {
	now := TestTime
	s, errs := compileAt([]*Definition{mustParse(t, "WP-2099-1", `
  - {at: request.header, when: 'name == "try" && rate("try", value, 10) > 3', do: reset}
  - {at: request.line, when: 'rateSeen("try", "10.0.0.2", 10) == 1', do: report}
`)}, testSchemas, nil, func() time.Time { return now })
	if errs != nil {
		t.Fatal(errs)
	}
	try := func(client string) bool { return len(s.Match(request("GET", "/", "try", client))) > 0 }
	for i, want := range []bool{false, false, false, true, true} {
		if got := try("10.0.0.1"); got != want {
			t.Errorf("try %d: corrected %v; want %v", i, got, want)
		}
	}
	if try("10.0.0.2") {
		t.Error("another client is counted with the first")
	}
	if got := actionsOf(s.Match(request("GET", "/"))); got != "0:1" {
		t.Errorf("rateSeen: Match = %q; want what was counted, not counted again", got)
	}
	now = now.Add(25 * time.Second)
	if try("10.0.0.1") {
		t.Error("what is longer ago than the window counts")
	}
}

// However many things are counted, memory is bounded, and what is counted most
// is kept.
func TestRateBounded(t *testing.T) {
	s := NewState()
	k := rateKey{window: 1000}
	for range 100 {
		s.count(k, TestTime, 1)
	}
	for i := range uint64(2 * maxRates) {
		s.count(rateKey{window: 1000, key: i + 1}, TestTime, 1)
	}
	if len(s.rates) > maxRates {
		t.Errorf("%d rates are kept; want at most %d", len(s.rates), maxRates)
	}
	if got := s.count(k, TestTime, 0); got != 100 {
		t.Errorf("the busiest counts %d after a flood of others; want 100", got)
	}
}

// The corrections beyond set and remove reach the decoder with what they need.
func TestOtherCorrections(t *testing.T) {
	set := mustCompile(t, nil, mustParse(t, "WP-2099-1", `
  - {at: request.header, when: name == "a", do: {insert: {before: element, fields: {name: b, value: "${value}2"}}}}
  - {at: request.header, when: name == "a", do: {move: first}}
  - {at: request.header, when: name == "a", do: {reply: {raw: "HTTP/1.1 100 Continue\r\n\r\n"}}}
  - {at: request.header, when: name == "a", hold: 5000, else: spoil, do: {reject: {status: 413}}}
  - {at: request.header, when: name == "c", do: spoil}
`))
	cs := set.Match(request("GET", "/", "a", "1", "c", "1"))
	if len(cs) != 4 {
		t.Fatalf("Match = %+v; want 4 corrections and none after the reject", cs)
	}
	if i := cs[0].Insert; cs[0].Action != protocol.Insert || i == nil || !i.Before || fmt.Sprint(i.Fields) != "[[name b] [value 12]]" {
		t.Errorf("insert = %+v", cs[0])
	}
	if cs[1].Action != protocol.Move || !cs[1].First {
		t.Errorf("move = %+v", cs[1])
	}
	if cs[2].Action != protocol.Interim || !strings.HasPrefix(cs[2].Reply.Raw, "HTTP/1.1 100") {
		t.Errorf("reply = %+v", cs[2])
	}
	if cs[3].Action != protocol.Reject || cs[3].Late != protocol.LateSpoil || set.Hold("request.header") != 5000 {
		t.Errorf("reject = %+v, hold %d", cs[3], set.Hold("request.header"))
	}
	if cs := set.Match(request("GET", "/", "c", "1")); len(cs) != 1 || cs[0].Action != protocol.Spoil {
		t.Errorf("spoil: Match = %+v", cs)
	}
}

func TestModesByService(t *testing.T) {
	d := mustParse(t, "WP-2099-1", "  - {at: request.header, when: name == 'a', do: reset}")
	set, errs := compileAt([]*Definition{d}, testSchemas, map[string]string{"WP-2099-1": Off}, func() time.Time { return TestTime },
		WithServiceModes(map[string]map[string]string{"WP-2099-1": {"web": Correct, "mail": Shadow}}))
	if errs != nil {
		t.Fatal(errs)
	}
	for service, want := range map[string]string{"web": "[false]", "mail": "[true]", "other": "[]"} {
		live := new(Live)
		live.Use(set.For(service))
		var shadows []bool
		for _, c := range live.Match(request("GET", "/", "a", "1")) {
			shadows = append(shadows, c.Shadow)
		}
		if got := fmt.Sprint(shadows); got != want || live.Wants("request.header") != (want != "[]") {
			t.Errorf("service %s: shadow of the corrections %s, wanted %v; want %s", service, got, live.Wants("request.header"), want)
		}
	}
}

// A definition that takes too much time is set aside at run time, is told, and
// the others go on.
func TestTooSlow(t *testing.T) {
	slow := mustParse(t, "WP-2099-1", `
  - {at: request.header, when: 'value.matches("(a+)+$") || value.matches("(a*b*)*c")', do: report}`)
	fast := mustParse(t, "WP-2099-2", `
  - {at: request.header, when: name == "a", do: report}`)
	told := ""
	set, errs := compileAt([]*Definition{slow, fast}, testSchemas, nil, func() time.Time { return TestTime },
		WithAside(func(id, why string) { told += id + " " + why }),
		func(s *Set) { s.limits.burst = 20 * time.Millisecond })
	if errs != nil {
		t.Fatal(errs)
	}
	m := request("GET", "/", "a", strings.Repeat("a", 30000)+"!")
	for range 10_000 {
		if set.Match(m); told != "" {
			break
		}
	}
	if !strings.HasPrefix(told, "WP-2099-1 its conditions took") {
		t.Errorf("told %q; want that WP-2099-1 took too long", told)
	}
	infos := set.Definitions()
	if infos[0].Error == "" || infos[1].Error != "" {
		t.Errorf("definitions = %+v; want only the first set aside", infos)
	}
	if cs := set.Match(request("GET", "/", "a", "aac")); len(cs) != 1 || cs[0].Definition != "WP-2099-2" {
		t.Errorf("Match = %+v; want the other definition's correction alone", cs)
	}
}

func TestOctetFunctions(t *testing.T) {
	for expr, want := range map[string]string{
		`${octets(unhex("ff FE"))} ${hex(unhex("ff FE"))}`:                                                                                   "2 fffe",
		`${"abc".octet(1)} ${"abc".octet(9)}`:                                                                                                "98 -1",
		`${"abcdef".slice(2, 4)}${"ab".slice(5, 9)}`:                                                                                         "cd",
		`${bigEndian("\u0001\u0002")} ${littleEndian("\u0001\u0002")}`:                                                                       "258 513",
		`${hex(toBigEndian(258, 3))} ${hex(toLittleEndian(258, 3))}`:                                                                         "000102 020100",
		`${addressIn("10.1.2.3", "10.0.0.0/8")} ${addressIn("x", "10.0.0.1")}`:                                                               "true false",
		`${ftpAddress("10,0,0,1,4,210")} ${ftpPort("10,0,0,1,4,210")}`:                                                                       "10.0.0.1 1234",
		`${ftpAddress("Entering Passive Mode (10,0,0,1,0,21).")}`:                                                                            "10.0.0.1",
		`${ftpAddress("|2|fd77::1|5282|")} ${ftpPort("|2|fd77::1|5282|")}`:                                                                   "fd77::1 5282",
		`${ftpAddress("|1|x|1|")}${ftpPort("1,2,3,4,5,256")}`:                                                                                "0",
		`${jsonDepth('{"a":[1,{"b":"]]]"}]}')} ${jsonDepth("[[[")}`:                                                                          "3 3",
		`${jsonType('{"a":["1",2,null,true,{}]}', "a")} ${['0','1','2','3','4','5'].map(i, jsonType('["1",2, null,true,{}]', i)).join(",")}`: "array string,number,null,boolean,object,",
		`${jsonType(' "a"', "")} ${jsonText(' [1, 2]', "")} ${jsonType("{", "")}${jsonText("[1,2", "0")}`:                                    "string [1, 2] ",
		`${jsonText('{"a":[{"b":"x"}]}', "a.0.b")} ${jsonText("[1]", "0")}`:                                                                  "x 1",
		`${jsonQuote('a"<\\')} ${htmlEscape('<a href="x">&')}`:                                                                               `"a\"<\\" &lt;a href=&#34;x&#34;&gt;&amp;`,
		`${urlDecode("%2e%2E/%zz%")}`:                                                                                                        "../%zz%",
		`${urlPath("/a/.//b/..\\c/%2E%2e/d/.")} ${urlPath("//../..//")} ${urlPath("")}`:                                                      "/a//d/ // /",
		`${urlEncode("/a b/%?é~")}`:                                                                                                          "/a%20b/%25%3F%C3%A9~",
		`${base64Decode("YWI_")} ${base64Decode("YWI=")}`:                                                                                    "ab? ab",
		`${latin1Decode(unhex("61 e9 ff 80"))} ${hex(latin1Encode("aéÿ\u0080"))}`:                                                            "aéÿ\u0080 61e9ff80",
		`${base64Encode("ab?")} ${base64Encode("ab")} ${base64Encode("")}`:                                                                   "YWI/ YWI= ",
	} {
		v := &Vector{Client: Text{Value: expr}}
		b, err := fillVector(v)
		switch {
		case err != nil:
			t.Errorf("%s: %v", expr, err)
		case b.client != want:
			t.Errorf("%s = %q; want %q", expr, b.client, want)
		}
	}
}

// A client cannot get a message past a rule by making it dear to judge.
func TestTooDearToJudge(t *testing.T) {
	def := mustParse(t, "WP-2099-1", `
  - {at: request.header, when: 'value.startsWith("x") && value.split(",").filter(p, !p.startsWith("-")).exists(p, p == "evil")', do: {remove: element}}
  - {at: request.header, when: 'value.startsWith("y") && value.split(",").exists(p, p == "evil")', do: report}
  - {at: response.header, when: 'value.startsWith("x") && value.split(",").exists(p, p == "evil")', do: {remove: element}}`)
	long := strings.Repeat("-,", 20000) + "evil"
	for _, tc := range []struct {
		mode, value string
		dir         session.Direction
		want        string
	}{
		{Correct, "x,evil", session.ToServer, "[{remove false}]"},
		{Correct, "x," + long, session.ToServer, "[{reset false}]"},
		{Shadow, "x," + long, session.ToServer, "[{reset true}]"},
		{Correct, "y," + long, session.ToServer, "[]"},
		{Correct, "x," + long, session.ToClient, "[]"},
	} {
		set, errs := compileAt([]*Definition{def}, testSchemas, map[string]string{"WP-2099-1": tc.mode}, func() time.Time { return TestTime }, unhurried)
		if errs != nil {
			t.Fatal(errs)
		}
		m := request("GET", "/", "a", tc.value)
		if m.Dir = tc.dir; tc.dir == session.ToClient {
			for i := range m.Elements {
				m.Elements[i].Kind = strings.Replace(m.Elements[i].Kind, "request", "response", 1)
			}
		}
		type did struct {
			action string
			shadow bool
		}
		got := []did{}
		for _, c := range set.Match(m) {
			got = append(got, did{map[protocol.Action]string{protocol.Reset: "reset", protocol.Remove: "remove"}[c.Action], c.Shadow})
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s, %.4q, %s: %v; want %s", tc.mode, tc.value, tc.dir, got, tc.want)
		}
	}
}

// What was shown before is not counted again, and corrected by those rules alone
// that may find another body there.
func TestToldOnce(t *testing.T) {
	schema := testSchema
	schema.Elements = maps.Clone(schema.Elements)
	schema.Elements["request.body"] = protocol.ElementType{Doc: "body", Fields: map[string]protocol.FieldType{"value": {Type: protocol.String, Settable: true}}}
	schema.Vars = maps.Clone(schema.Vars)
	schema.Vars["request.body"] = protocol.Var{Type: protocol.String}
	set, errs := Compile([]*Definition{withSession(t, "{lines: 0, bodies: 0}", `
  - {at: request.line, do: {remember: {name: lines, value: session.lines + 1}}}
  - {at: request.line, when: 'rate("lines", "k", 60) > 1', do: reset}
  - {at: request.line, do: report}
  - {at: request.line, when: request.body == "b", do: {set: {field: method, to: PUT}}}
  - {at: request.line, when: request.body == "b", do: report}
  - {at: request.body, do: {remember: {name: bodies, value: session.bodies + 1}}}
  - {at: request.body, when: session.lines == 1 && session.bodies == 2, do: {set: {field: value, to: c}}}
  - {at: request.body, do: {reply: {status: 100}}}
`)}, map[string]protocol.Schema{"http": schema}, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	m := request("GET", "/")
	m.Memory = new(protocol.Memory)
	m.Data = []byte("heada")
	end := len(m.Data) - 1
	body := protocol.Span{Start: end, End: end + 1}
	m.Elements = append(m.Elements, protocol.Element{Kind: "request.body", Span: body, Fields: []protocol.Field{{Name: "value", Value: "a", Span: body}}})
	lookup := m.Lookup
	m.Lookup = func(name string) (any, bool) {
		if name == "request.body" {
			return string(m.Data[end:]), true
		}
		return lookup(name)
	}
	if got, want := actionsOf(set.Match(m)), "0:2 1:7"; got != want {
		t.Errorf("Match = %q; want %q", got, want)
	}
	m.Data[end], m.Told = 'b', end
	if got, want := actionsOf(set.Match(m)), "0:3 1:6"; got != want {
		t.Errorf("once more, Match = %q; want %q", got, want)
	}
}

// Rules on what a client sends that read what is remembered of answers await them,
// in the services where they are on.
func TestAwaits(t *testing.T) {
	const both = `  - {at: response.header, when: name == "a", do: {remember: {name: n, value: session.n + 1}}}
  - {at: request.header, when: %s, do: {remember: {name: m, value: session.m + 1}}}
session: {n: 0, m: 0}
`
	for condition, want := range map[string]bool{"session.n > 3": true, "session.m > 3": false, `name == "b"`: false} {
		d := mustParse(t, "WP-2099-1", fmt.Sprintf(both, condition))
		s, errs := Compile([]*Definition{d}, testSchemas, nil, WithServiceModes(map[string]map[string]string{d.ID: {"off": Off}}))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		on, off := s.For("on").(protocol.Awaiter), s.For("off").(protocol.Awaiter)
		if s.Awaits("http") != want || on.Awaits("http") != want || off.Awaits("http") || s.Awaits("ftp") {
			t.Errorf("%s: awaits %t, where it is on %t, where it is off %t; want %t, %t, false", condition, s.Awaits("http"), on.Awaits("http"), off.Awaits("http"), want, want)
		}
	}
}
