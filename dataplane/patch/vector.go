package patch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// TestTime is the present in every test: ${date} gives it in requests,
// responses and what is expected.
var TestTime = time.Date(1994, time.November, 6, 8, 49, 37, 0, time.UTC)

// Failure is one test that a definition did not pass.
type Failure struct {
	Pos
	Test string // name; "" when it is about the definition as a whole
	How  string // in what pieces the bytes came
	Text string
}

func (f Failure) Error() string {
	s := f.Pos.String() + ": "
	if f.Test != "" {
		s += "test " + strconv.Quote(f.Test)
		if f.How != "" {
			s += ", " + f.How
		}
		s += ": "
	}
	return s + f.Text
}

// Test runs a definition's own tests through a real decoder, each with the
// bytes whole, one by one, and in random pieces (the same in every run); over
// UDP, what one side sends in a step is one datagram. The definition is compiled alone and in correct mode.
func Test(def *Definition, d Decoder) []Failure {
	set, errs := compileAt([]*Definition{def}, map[string]protocol.Schema{def.Protocol: d.Schema}, map[string]string{def.ID: Correct}, func() time.Time { return TestTime }, unhurried)
	if len(errs) > 0 {
		return []Failure{{Pos: def.Pos, Text: errors.Join(errs...).Error()}}
	}
	t := &tester{set: set, decoder: d, def: def, used: map[int]bool{}}
	for i := range def.Tests {
		t.vector(&def.Tests[i])
	}
	t.whole()
	return t.failures
}

// tester runs the tests of one definition.
type tester struct {
	set                *Set
	decoder            Decoder
	def                *Definition
	used               map[int]bool // rules that a test has made correct something
	triggers, harmless int
	failures           []Failure
}

// cuts are the ways to cut a stream into pieces: bytes in a piece, 0 for
// random, -1 for all at once.
var cuts = []struct {
	how  string
	size int
}{{"whole", -1}, {"byte by byte", 1}, {"in random pieces (1)", 0}, {"in random pieces (2)", 0}, {"in random pieces (3)", 0}}

func (t *tester) vector(v *Vector) {
	b, err := fillVector(v)
	if err != nil {
		t.failures = append(t.failures, Failure{Pos: v.Pos, Test: v.Name, Text: err.Error()})
		return
	}
	if b.changes() || v.Ends == endsReset || v.Corrections > 0 {
		t.triggers++
	} else {
		t.harmless++
		if n := missing(t.def.Protocol, b.client); n > 0 {
			t.failures = append(t.failures, Failure{Pos: v.Pos, Test: v.Name, Text: fmt.Sprintf("the body of a request is %d octets shorter than its Content-Length says; want a whole one", n)})
			return
		}
	}
	ways := cuts
	if v.Over != overTCP && t.decoder.NewDatagram != nil {
		ways = cuts[:1]
	}
	for i, cut := range ways {
		rnd := rand.New(rand.NewPCG(1, uint64(i)))
		if err := t.run(v, b, cut.size, rnd); err != nil {
			t.failures = append(t.failures, Failure{Pos: v.Pos, Test: v.Name, How: cut.how, Text: err.Error()})
			return
		}
	}
}

// missing is how many octets the last of some HTTP requests lacks. What net/http does
// not read lacks none: the decoder judges that.
func missing(protocol, client string) int64 {
	if protocol != "http" {
		return 0
	}
	for r := bufio.NewReader(strings.NewReader(client)); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return 0
		}
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return max(0, req.ContentLength-n)
		}
	}
}

// testConn is the session of every test: addresses for documentation (RFC 5737).
var testConn = protocol.Conn{ClientAddress: "192.0.2.1", ClientPort: 40000, ServerAddress: "198.51.100.1", ServerPort: 80}

func (t *tester) run(v *Vector, b *vectorBytes, size int, rnd *rand.Rand) error {
	t.give(v)
	t.set.state = NewState() // each test begins with nothing counted
	failed := new(unjudged)
	t.set.defs[0].unjudged = failed
	f, err := t.decoder.open(v.Over, t.set)
	if err != nil {
		return err
	}
	return explained(t.play(v, b, f, size, rnd), f, failed)
}

// explained adds to a test's failure what the decoder and the rules told, what
// could not be evaluated, and how the session ended.
func explained(err error, f *feed, failed *unjudged) error {
	if err == nil {
		return nil
	}
	var notes []string
	for i := range f.evidence {
		if n := f.evidence[i].Note; n != "" && !slices.Contains(notes, n) && len(notes) < 3 {
			notes = append(notes, n)
		}
	}
	notes = append(notes, failed.texts()...)
	if f.end == session.Reset {
		notes = append(notes, "the session was reset")
	}
	if len(notes) == 0 {
		return err
	}
	return fmt.Errorf("%w (told: %s)", err, strings.Join(notes, "; "))
}

// play has both sides send what they do, and compares what the others get.
func (t *tester) play(v *Vector, b *vectorBytes, f *feed, size int, rnd *rand.Rand) error {
	if b.steps != nil {
		return t.converse(v, b, f, size, rnd)
	}
	for _, side := range []struct {
		dir   session.Direction
		bytes string
	}{{session.ToServer, b.client}, {session.ToClient, b.response}} {
		if err := inPieces(f, side.dir, side.bytes, size, rnd); err != nil {
			return err
		}
	}
	end := f.end
	if err := closeBoth(f); err != nil {
		return err
	}
	return t.compare(v, b, f, end)
}

// closely is how many bytes at the beginning and at the end of a long test are
// cut as finely as asked for. In between pieces are no finer than a thirty-second
// part of the whole: a decoder that holds a message looks at all of it with each
// piece, and an appliance runs all tests before it inspects anything.
const closely = 2048

// inPieces has one side send bytes, cut as size says: 0: at random.
func inPieces(f *feed, dir session.Direction, bytes string, size int, rnd *rand.Rand) error {
	rest := []byte(bytes)
	for len(rest) > 0 {
		n := len(rest)
		if size > 0 {
			n = min(n, size)
		} else if size == 0 {
			n = 1 + rnd.IntN(min(n, 1+rnd.IntN(200)))
		}
		if len(bytes)-len(rest) >= closely && len(rest) > closely {
			n = max(n, min(len(bytes)/32, len(rest)-closely))
		}
		if err := f.send(dir, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func closeBoth(f *feed) error {
	for _, dir := range []session.Direction{session.ToClient, session.ToServer} {
		if err := f.close(dir); err != nil {
			return err
		}
	}
	return nil
}

// converse plays a conversation and compares what each side got step by step.
func (t *tester) converse(v *Vector, b *vectorBytes, f *feed, size int, rnd *rand.Rand) error {
	var seen [2]int
	for i := range b.steps {
		s := &b.steps[i]
		if err := inPieces(f, s.from, s.sends, size, rnd); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
			got := string(f.dirs[dir].out[seen[dir]:])
			if got != s.gets[dir] {
				return fmt.Errorf("step %d: %w", i+1, differ(gotBy[dir], got, s.gets[dir]))
			}
			seen[dir] += len(got)
		}
	}
	end := f.end
	before := [2]int{len(f.dirs[0].out), len(f.dirs[1].out)}
	if err := closeBoth(f); err != nil {
		return err
	}
	for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
		if got := string(f.dirs[dir].out[before[dir]:]); got != "" {
			return fmt.Errorf("after the last step: %w", differ(gotBy[dir], got, ""))
		}
	}
	return t.accounts(v, b, f, end)
}

var gotBy = [2]string{session.ToServer: "the server got", session.ToClient: "the client got"}

func (t *tester) compare(v *Vector, b *vectorBytes, f *feed, end session.End) error {
	var differences []string
	for dir, want := range [2]string{session.ToServer: b.server, session.ToClient: b.clientGets} {
		if got := string(f.dirs[dir].out); got != want {
			differences = append(differences, differ(gotBy[dir], got, want).Error())
		}
	}
	if len(differences) > 0 {
		if got := endName(end); got != v.Ends {
			differences = append(differences, ended(got, v.Ends))
		}
		return errors.New(strings.Join(differences, "; "))
	}
	return t.accounts(v, b, f, end)
}

func ended(got, want string) string { return fmt.Sprintf("the session ended %q; want %q", got, want) }

// accounts checks how the session ended and what was reported.
func (t *tester) accounts(v *Vector, b *vectorBytes, f *feed, end session.End) error {
	if got := endName(end); got != v.Ends {
		return errors.New(ended(got, v.Ends))
	}
	n := 0
	for _, e := range f.evidence {
		if e.Definition == t.def.ID {
			t.used[e.Rule] = true
			n++
		}
	}
	switch {
	case v.Corrections >= 0 && n != v.Corrections:
		return fmt.Errorf("%d corrections were reported; want %d", n, v.Corrections)
	case v.Corrections < 0 && n == 0 && b.changes():
		return fmt.Errorf("bytes changed and no correction was reported; want at least one")
	case v.Corrections < 0 && n > 0 && !b.changes() && v.Ends == endsOpen:
		return fmt.Errorf("%d corrections were reported and nothing changed; want none, or \"corrections: %d\" in the test", n, n)
	}
	return nil
}

// whole checks what only all tests together show.
func (t *tester) whole() {
	if len(t.failures) > 0 {
		return
	}
	fail := func(p Pos, text string) { t.failures = append(t.failures, Failure{Pos: p, Text: text}) }
	for i, r := range t.def.Rules {
		if !t.used[i] && !t.set.defs[0].remembered[i].Load() {
			fail(r.Pos, fmt.Sprintf("rule %d corrects nothing in any test; want a test that triggers it", i))
		}
	}
	if t.triggers == 0 || t.harmless == 0 {
		fail(t.def.Pos, fmt.Sprintf("%d tests trigger and %d are harmless neighbours; want at least one of each", t.triggers, t.harmless))
	}
}

func endName(e session.End) string {
	switch e {
	case session.Close:
		return endsClose
	case session.Reset:
		return endsReset
	}
	return endsOpen
}

// differ shows two texts from a little before where they part.
func differ(what, got, want string) error {
	const before, shown = 40, 160
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-before)
	part := func(s string) string {
		if len(s) <= from+shown {
			return strconv.Quote(s[from:])
		}
		return strconv.Quote(s[from:from+shown]) + "…"
	}
	return fmt.Errorf("%s other bytes from offset %d on: …%s; want …%s", what, i, part(got), part(want))
}
