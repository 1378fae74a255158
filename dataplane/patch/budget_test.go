package patch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// timed is a Set under a clock of its own, for which each evaluation takes as
// long as the test says.
type timed struct {
	*Set
	now  time.Duration
	told []string
}

func newTimed(t *testing.T, mode string, closed bool, rules string) *timed {
	t.Helper()
	c := &timed{now: time.Hour}
	clock := func() time.Duration { return c.now }
	set, errs := compileAt([]*Definition{mustParse(t, "WP-2099-1", rules)}, testSchemas, map[string]string{"WP-2099-1": mode}, func() time.Time { return TestTime },
		WithAside(func(string, string) { c.told = append(c.told, "aside") }),
		WithLimited(func(_, client string) { c.told = append(c.told, "limited "+client) }),
		WithClosed(map[string]bool{"shop": closed}),
		func(s *Set) { s.limits.day, s.limits.thread = clock, clock })
	if errs != nil {
		t.Fatal(errs)
	}
	c.Set = set
	return c
}

// send has a client's value judged, at a price, and says what became of it.
func (c *timed) send(client, value string, price time.Duration) string {
	m := request("GET", "/", "a", value)
	return c.judge(m, client, price)
}

func (c *timed) judge(m *protocol.Message, client string, price time.Duration) string {
	lookup := m.Lookup
	m.Lookup = func(name string) (any, bool) {
		switch name {
		case "client.address":
			return client, true
		case "request.path": // asked for by the condition, and by nothing else
			c.now += price
		}
		return lookup(name)
	}
	cs := c.match(m, "shop")
	if len(cs) == 0 {
		return "passes"
	}
	name := map[protocol.Action]string{protocol.Reset: "reset", protocol.Remove: "remove", protocol.Report: "report"}[cs[0].Action]
	if cs[0].Shadow {
		return "shadow " + name
	}
	return name
}

const evil = `
  - {at: request.header, when: 'request.path.size() > 0 && value.matches("(a+)+z")', do: {remove: element}}`

// attack sends dear values from so many addresses for so long, and says how
// often the definition was set aside.
func (c *timed) attack(clients int, span time.Duration) {
	for end, i := c.now+span, 0; c.now < end; i++ {
		c.send(fmt.Sprintf("203.0.113.%d", i%clients), "aaaa", budgetMost)
		c.now += time.Millisecond
	}
}

// Whoever sends dear values cannot switch a definition off, for himself or for
// anybody else.
func TestDearValuesAreNoSwitch(t *testing.T) {
	for _, clients := range []int{1, 5, 20} {
		c := newTimed(t, Correct, false, evil)
		c.attack(clients, 2*time.Minute)
		if got := fmt.Sprint(c.told); strings.Contains(got, "aside") || !strings.Contains(got, "limited 203.0.113.") {
			t.Errorf("%d clients: told %s; want that clients are limited, and nothing set aside", clients, got)
		}
		if n := len(c.told); n > 3 {
			t.Errorf("%d clients: told %d times in 2 minutes", clients, n)
		}
		if got := c.send("203.0.113.0", "aaz", time.Millisecond); got == "passes" {
			t.Errorf("%d clients: the attacker's trigger passes", clients)
		}
		if got := c.send("192.0.2.7", "aaz", time.Millisecond); got != "remove" {
			t.Errorf("%d clients: another client's trigger: %s; want remove", clients, got)
		}
		if got := c.send("192.0.2.7", "harmless", time.Millisecond); got != "passes" {
			t.Errorf("%d clients: another client's request: %s; want passes", clients, got)
		}
	}
}

// A limit ends with what gave rise to it.
func TestLimitEnds(t *testing.T) {
	c := newTimed(t, Correct, false, evil)
	c.attack(1, time.Minute)
	c.now += time.Minute
	if got := c.send("203.0.113.0", "harmless", time.Millisecond); got != "passes" {
		t.Errorf("a minute later: %s; want passes", got)
	}
}

// An IPv6 site has more addresses than can be noted: it is one client.
func TestSiteIsOneClient(t *testing.T) {
	c := newTimed(t, Correct, false, evil)
	for i := range 20000 {
		c.send(fmt.Sprintf("2001:db8:1:%x::%x", i%65536, i), strings.Repeat("a", 3000), 20*time.Millisecond)
	}
	if got := fmt.Sprint(slices.Compact(c.told)); got != "[limited 2001:db8:1::]" {
		t.Errorf("told %s; want that the site is limited", got)
	}
}

// What is too dear for what many clients ordinarily send is set aside for a
// while, and what passes then is for the service to say.
func TestTooDearForMany(t *testing.T) {
	for _, tc := range []struct {
		mode   string
		closed bool
		want   string
	}{{Correct, false, "passes"}, {Correct, true, "reset"}, {Shadow, true, "passes"}} {
		c := newTimed(t, tc.mode, tc.closed, evil)
		begun := c.now
		for i := 0; len(c.told) == 0 || c.told[len(c.told)-1] != "aside"; i++ {
			c.send(fmt.Sprintf("198.51.%d.%d", i/250%250, i%250), "ordinary", 2*time.Millisecond)
			if c.now += 500 * time.Microsecond; c.now-begun > time.Minute {
				t.Fatalf("not set aside: %s", c.told)
			}
		}
		if why := c.Definitions()[0].Error; !strings.Contains(why, "for many clients") {
			t.Errorf("Error = %q; want why it is set aside", why)
		}
		if got := c.send("192.0.2.7", "aaz", time.Millisecond); got != tc.want {
			t.Errorf("%s, closed %v: a trigger while it is set aside: %s; want %s", tc.mode, tc.closed, got, tc.want)
		}
		m := request("GET", "/", "a", "b")
		if got := c.wantsOf(m, "request.header", "shop"); got != tc.closed {
			t.Errorf("closed %v: wantsOf while it is set aside = %v", tc.closed, got)
		}
		c.now += asideFor
		if why := c.Definitions()[0].Error; why != "" {
			t.Errorf("Error = %q a minute later", why)
		}
		if got := c.send("192.0.2.7", "aaz", time.Millisecond); !strings.HasSuffix(got, "remove") {
			t.Errorf("%s: a trigger a minute later: %s; want remove", tc.mode, got)
		}
	}
}

// What a message may take is bounded, too: of many dear values that it has the
// last are not judged, and it is refused.
func TestMessageTooDear(t *testing.T) {
	c := newTimed(t, Correct, false, evil)
	pairs := []string{"GET", "/"}
	for range 30 {
		pairs = append(pairs, "a", "aaa")
	}
	begun := c.now
	if got := c.judge(request(pairs...), "192.0.2.7", 40*time.Millisecond); got != "reset" {
		t.Errorf("a message of 30 dear values: %s; want reset", got)
	}
	if took := c.now - begun; took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	m := request(pairs...)
	m.Dir = session.ToClient
	if got := c.judge(m, "192.0.2.7", time.Millisecond); got != "passes" {
		t.Errorf("a response: %s; want passes", got)
	}
}

// Who is limited is so for responses, and rules that only report refuse nothing.
func TestWhatLimitedMeans(t *testing.T) {
	for _, tc := range []struct{ mode, rules, want string }{
		{Correct, evil, "reset"},
		{Shadow, evil, "passes"},
		{Correct, strings.Replace(evil, "{remove: element}", "report", 1), "passes"},
	} {
		c := newTimed(t, tc.mode, false, tc.rules)
		for range 400 {
			c.send("203.0.113.1", "aaa", 20*time.Millisecond)
		}
		if got := c.send("203.0.113.1", "aaz", time.Millisecond); got != tc.want {
			t.Errorf("%s, %s: %s; want %s", tc.mode, tc.rules, got, tc.want)
		}
	}
}

// The table of clients keeps those that cost most.
func TestClientCosts(t *testing.T) {
	var table clientCosts
	addr := func(i int) *protocol.Message {
		return &protocol.Message{Lookup: func(string) (any, bool) { return fmt.Sprintf("10.0.%d.%d", i/256, i%256), true }}
	}
	for i := range 3 {
		table.charge(clientOf(addr(i)), 0, 80*time.Millisecond)
	}
	for i := range 10000 {
		table.charge(clientOf(addr(100+i)), 0, time.Millisecond)
	}
	for i := range 3 {
		if c := table.find(clientOf(addr(i))); c == nil || c.spent != 80*time.Millisecond {
			t.Errorf("client %d = %+v; want that it is noted", i, c)
		}
	}
	table.charge(clientOf(&protocol.Message{}), 0, time.Second)
	if c := table.find(clientOf(&protocol.Message{})); c != nil {
		t.Errorf("somebody unknown is noted: %+v", c)
	}
}

// The budget of a definition that is not dear costs no memory.
func TestBudgetAllocatesNothing(t *testing.T) {
	b := &budget{limits: &defaultLimits, at: dayTime()}
	m := &protocol.Message{Lookup: func(string) (any, bool) { panic("asked for the client") }}
	if n := testing.AllocsPerRun(100, func() {
		if b.stands(m) != judged || b.charge(m, time.Microsecond) {
			t.Fatal("not judged")
		}
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// A condition that is broken off for its cost before a body is there has not
// been judged: the body is to be held.
func TestTooDearBeforeTheBody(t *testing.T) {
	d := mustParse(t, "WP-2099-1", `
  - {at: request.header, when: 'request.path.split(",").filter(p, !p.startsWith("-")).exists(p, p == "evil") && value == "x"', do: {remove: element}}`)
	set, errs := compileAt([]*Definition{d}, testSchemas, nil, func() time.Time { return TestTime }, unhurried)
	if errs != nil {
		t.Fatal(errs)
	}
	for path, want := range map[string]bool{"/": false, "/,evil": true, "/," + strings.Repeat("-,", 20000) + "evil": true} {
		if got := set.WantsOf(request("GET", path), "request.header"); got != want {
			t.Errorf("WantsOf with a path of %d octets = %v; want %v", len(path), got, want)
		}
	}
	if set.limits.burst != math.MaxInt64 {
		t.Error("the test is hurried")
	}
}
