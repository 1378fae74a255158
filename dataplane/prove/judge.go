package prove

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"
)

// Result is what came out for one definition. Each exchange counts once for
// each way in which it was delivered.
type Result struct {
	ID         string `json:"id"`
	Triggers   int    `json:"triggers"`
	Equivalent int    `json:"equivalent"`
	Harmless   int    `json:"harmless"`
	Harmed     int    `json:"harmed"`

	versions [2]string
	faults   int   // of the proof itself: what it says is not so
	failed   error // why it could not be proved
	took     time.Duration
}

// whole says whether all is as it should be.
func (r *Result) whole() bool {
	return r.failed == nil && r.Equivalent == r.Triggers && r.Harmed == 0 && r.faults == 0 && r.Triggers > 0 && r.Harmless > 0
}

// judge has one proof's exchanges made and compares the answers.
type judge struct {
	ctx                   context.Context
	p                     *proof
	fixed, alone, through *world
	log                   io.Writer
	quick                 bool // no mutations
	verbose               bool
	r                     *Result
	told                  int
	done, total           int // exchanges of the proof
	shown                 int // how often the browser has got an answer
	noted                 time.Time
	costly                bool // the entry makes the vulnerable server stall or end: its variants are not tried with it alone
}

// most is how many failures of one proof are shown.
const most = 12

// run goes through the proof.
func (j *judge) run() error {
	j.total = len(j.p.Triggers) + len(j.p.Harmless)
	for i := range j.p.Triggers {
		if err := j.entry(fmt.Sprintf("trigger %d", i+1), &j.p.Triggers[i], true); err != nil {
			return err
		}
		j.done++
	}
	for i := range j.p.Harmless {
		if err := j.entry(fmt.Sprintf("harmless %d", i+1), &j.p.Harmless[i], false); err != nil {
			return err
		}
		j.done++
	}
	if err := j.ownClients(); err != nil {
		return err
	}
	if j.fixed.chromium != nil && j.shown == 0 && len(j.p.Browser) == 0 {
		if err := j.fixed.shows(j.p.Probe); err != nil {
			return err
		}
	}
	for _, w := range []*world{j.fixed, j.alone, j.through} {
		if w.repeated > 5+w.exchanges/20 {
			return fmt.Errorf("%d of %d exchanges with the %s server had to be tried again: too much is lost to judge by", w.repeated, w.exchanges, w.name)
		}
	}
	return nil
}

// entry tries one exchange as it is, in all deliveries, and its variants, each
// whole and in one other delivery.
func (j *judge) entry(name string, e *entry, trigger bool) error {
	j.costly = false
	if err := j.try(j.p.trial(name, e, nil), e, trigger, nil); err != nil {
		return err
	}
	if !trigger {
		if err := j.withClients(name, e); err != nil {
			return err
		}
	}
	if e.once || j.quick {
		return nil
	}
	all := j.p.ways()
	for i, v := range j.p.variants(e, name) {
		ways := []delivery{whole, all[1+(i+len(name))%(len(all)-1)]}
		if err := j.try(j.p.trial(name+", "+v.name, e, &v), e, trigger, ways); err != nil {
			return err
		}
	}
	return nil
}

// trial makes an exchange of an entry, as it is or as a variant of it.
func (p *proof) trial(name string, e *entry, v *variant) *trial {
	t := &trial{name: name, steps: e.steps, http: true}
	if v == nil {
		v = &variant{requests: e.requests, steps: p.stepsOf(e.lines, e.packets)}
	}
	switch {
	case len(v.requests) > 0:
		var s step
		for _, r := range v.requests {
			s.send = append(s.send, r.bytes()...)
			s.methods = append(s.methods, r.method)
		}
		t.steps = []step{s}
	case len(v.steps) > 0:
		t.steps = slices.Concat(p.Before, v.steps, p.After)
	}
	for _, s := range t.steps {
		t.http = t.http && len(s.methods) > 0
	}
	return t
}

func seedOf(parts ...string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, strings.Join(parts, "\x00"))
	return h.Sum64()
}

// try has a trial with all three servers. ways is nil for the exchange as it is
// written down, which goes in every way, and of which the proof says what it is.
func (j *judge) try(t *trial, e *entry, trigger bool, ways []delivery) error {
	j.progress(t.name)
	written := ways == nil
	seed := seedOf(j.p.definition.ID, t.name)
	want, err := j.fixed.exchange(t, whole, seed)
	if err != nil {
		return err
	}
	wants, differ := []answer{want}, true
	if written || !j.costly {
		j.alone.limit = stallLimit
		if want.end == waiting {
			j.alone.limit = j.fixed.limit
		}
		alone, err := j.alone.exchange(t, whole, seed)
		if err != nil {
			return err
		}
		alones := []answer{alone}
		same, err := j.again(t, whole, seed, j.alone, &alones, j.fixed, &wants)
		if err != nil {
			return err
		}
		differ = !same
		j.costly = written && trigger && (alone.dead || alone.exited || alone.end == waiting)
		if written && differ != trigger && e.why == "" && !e.anyway {
			j.fault(t, trigger, &alone, &want)
		}
		if e.why != "" {
			wants, differ = alones, false
		}
	}
	if written {
		ways = j.p.ways()
	}
	var bad failure
	for _, how := range ways {
		if err := j.behind(t, e, how, seed, wants, differ, &bad); err != nil {
			return err
		}
	}
	if len(bad.how) > 0 {
		j.fail(t, differ, &bad)
	}
	return nil
}

// failure is what did not hold of one trial.
type failure struct {
	how       []string // in these ways
	got, want answer   // in the first of them
}

// behind has the trial with the server behind the appliance and compares. Where
// the answer is another one, it may be because of the delivery: the measure
// is asked again in that way.
func (j *judge) behind(t *trial, e *entry, how delivery, seed uint64, wants []answer, trigger bool, bad *failure) error {
	j.through.limit = patience / 4
	if wants[0].end == waiting {
		j.through.limit = j.fixed.limit
	}
	got, err := j.through.exchange(t, how, seed)
	if err != nil {
		return err
	}
	same := j.p.alikeAny(&got, wants)
	if !same {
		measure := j.fixed
		if e.why != "" {
			measure = j.alone
		}
		want, err := measure.exchange(t, how, seed)
		if err != nil {
			return err
		}
		gots, wants := []answer{got}, append(slices.Clone(wants), want)
		if same, err = j.again(t, how, seed, j.through, &gots, measure, &wants); err != nil {
			return err
		}
		if !same {
			if bad.how = append(bad.how, how.String()); len(bad.how) == 1 {
				bad.got, bad.want = got, want
			}
		}
	}
	j.r.count(trigger, same)
	return nil
}

// retries is how often servers are asked that do not answer alike, where that may be
// for something that was lost: on a computer that has much to do it often is.
const retries = 5

// again says whether two servers answer alike, by the answers that they have
// given. Over UDP one that differs may be for a datagram that was lost, of either
// of them, and over TCP for a reset, which takes along what the server had said just
// before: both are asked again, and what they answer is added. A server that has
// ended did so for no loss.
func (j *judge) again(t *trial, how delivery, seed uint64, x *world, xs *[]answer, y *world, ys *[]answer) (bool, error) {
	alike := func() bool {
		return slices.ContainsFunc(*xs, func(a answer) bool { return j.p.alikeAny(&a, *ys) })
	}
	all := slices.Concat(*xs, *ys)
	lossy := j.p.Over == "udp" || slices.ContainsFunc(all, func(a answer) bool { return a.reset })
	if !lossy || slices.ContainsFunc(all, func(a answer) bool { return a.exited }) {
		return alike(), nil
	}
	if alike() {
		return true, nil
	}
	for i := 1; i < retries; i++ {
		for w, all := range map[*world]*[]answer{x: xs, y: ys} {
			a, err := w.exchange(t, how, seed)
			if err != nil {
				return false, err
			}
			*all = append(*all, a)
		}
		if alike() { // something was lost before: exchanges count, not tries
			x.repeated++
			y.repeated++
			return true, nil
		}
	}
	return false, nil
}

func (r *Result) count(trigger, same bool) {
	switch {
	case trigger && same:
		r.Triggers++
		r.Equivalent++
	case trigger:
		r.Triggers++
	case same:
		r.Harmless++
	default:
		r.Harmless++
		r.Harmed++
	}
}

func (j *judge) fault(t *trial, trigger bool, alone, fixed *answer) {
	j.r.faults++
	what := "is called harmless, but the two versions answer differently"
	if trigger {
		what = "is called a trigger, but the two versions answer alike"
	}
	fmt.Fprintf(j.log, "%s: %s %s\n  request    %s\n  vulnerable %s\n  fixed      %s\n", j.p.definition.ID, t.name, what, t.sent(), j.p.around(alone, fixed), j.p.around(fixed, alone))
}

func (j *judge) fail(t *trial, trigger bool, bad *failure) {
	if j.told++; j.told > most && !j.verbose {
		return
	}
	what := "harm"
	if trigger {
		what = "not equivalent"
	}
	fmt.Fprintf(j.log, "%s: %s: %s, %s\n  request  %s\n  got      %s\n  want     %s\n", j.p.definition.ID, what, t.name, strings.Join(bad.how, ", "),
		t.sent(), j.p.around(&bad.got, &bad.want), j.p.around(&bad.want, &bad.got))
	if j.told == most && !j.verbose {
		fmt.Fprintf(j.log, "%s: more failures are counted, not shown; -v shows them\n", j.p.definition.ID)
	}
}

// sent shows what a trial sends.
func (t *trial) sent() string {
	var parts []string
	for _, s := range t.steps {
		parts = append(parts, quote(s.send))
	}
	return strings.Join(parts, " then ")
}

// progress tells from time to time how far it is.
func (j *judge) progress(name string) {
	if time.Since(j.noted) < 10*time.Second {
		return
	}
	j.noted = time.Now()
	fmt.Fprintf(j.log, "%s: %d of %d exchanges in all their forms; %d of %d triggers equivalent, %d of %d harmless harmed; now %s\n", j.p.definition.ID, j.done, j.total,
		j.r.Equivalent, j.r.Triggers, j.r.Harmed, j.r.Harmless, name)
}
