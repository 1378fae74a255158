package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/inventory"
)

var states = []inventory.State{inventory.Exposed, inventory.Possible, inventory.Shadow, inventory.Corrected, inventory.Patched}

// exposure: how much is open, what there is to do, and all of it by evidence.
func exposure(q Question, k Known) []Section {
	list := q.of(k.View.Exposures)
	sum := Section{Title: "In short", Text: fmt.Sprintf("%d servers, %d advisories known.", len(k.View.Servers), k.View.Advisories), Columns: []string{"State", "Vulnerabilities on servers", "Of them exploited by CISA's catalogue"}}
	for _, s := range states {
		n, kev := 0, 0
		for _, e := range list {
			if e.State == s {
				n++
				if e.KEV {
					kev++
				}
			}
		}
		sum.Rows = append(sum.Rows, []string{string(s), number(n), number(kev)})
	}
	todo := Section{Title: "To do", Text: "What stands against the evidence.", Columns: []string{"To do", "Vulnerability", "Server", "Software", "Inline patch", "Since"}}
	open := Section{Title: "Open", Text: "Affected or possibly affected, and nothing stands in.", Columns: []string{"Vulnerability", "Server", "Group", "Software", "State", "Days", "Exploited", "Due", "Inline patch", "Evidence"}}
	for _, e := range list {
		if e.Advice == "switch on" || e.Advice == "switch on again" || e.Advice == "retire" {
			todo.Rows = append(todo.Rows, []string{e.Advice, e.CVE, server(e), software(e.Component), strings.TrimSpace(e.Definition + " " + e.Mode), e.Since.UTC().Format(time.DateOnly)})
		}
		if e.State == inventory.Exposed || e.State == inventory.Possible || e.State == inventory.Shadow {
			open.Rows = append(open.Rows, []string{e.CVE, server(e), e.Group, software(e.Component), string(e.State), number(e.Days(k.Now)), yes(e.KEV), e.Due, strings.TrimSpace(e.Definition + " " + e.Mode), strings.Join(e.Why, "; ")})
		}
	}
	return []Section{sum, todo, open}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// compliance: is what should be patched really patched?
func compliance(q Question, k Known) (all []Section) {
	list := q.of(k.View.Exposures)
	all = append(all, byVulnerability(list))
	without := Section{Title: "Servers without the fix", Text: "By evidence; corrected means that an inline patch stands in on the running wire.", Columns: []string{"Vulnerability", "Server", "Group", "Software", "State", "Inline patch", "Evidence"}}
	with := Section{Title: "Servers with the fix", Columns: []string{"Vulnerability", "Server", "Group", "Software", "Known by", "To do", "Evidence"}}
	for _, e := range list {
		if e.State == inventory.Patched {
			with.Rows = append(with.Rows, []string{e.CVE, server(e), e.Group, software(e.Component), string(e.Component.Evidence) + ", " + e.Component.Source, e.Advice, strings.Join(e.Why, "; ")})
			continue
		}
		without.Rows = append(without.Rows, []string{e.CVE, server(e), e.Group, software(e.Component), string(e.State), strings.TrimSpace(e.Definition + " " + e.Mode), strings.Join(e.Why, "; ")})
	}
	all = append(all, without, with, controls(list, k))
	if q.Product != "" || q.CVE == "" {
		all = append(all, versions(q, k.View.Servers))
	}
	return all
}

func byVulnerability(list []inventory.Exposure) Section {
	s := Section{Title: "By vulnerability", Columns: []string{"Vulnerability", "Servers", "Patched", "Corrected inline", "Open", "Patched or corrected"}}
	type sums struct{ all, patched, corrected int }
	counts := map[string]*sums{}
	for _, e := range list {
		c := counts[e.CVE]
		if c == nil {
			c = &sums{}
			counts[e.CVE] = c
		}
		c.all++
		switch e.State {
		case inventory.Patched:
			c.patched++
		case inventory.Corrected:
			c.corrected++
		}
	}
	for cve, c := range counts {
		s.Rows = append(s.Rows, []string{cve, number(c.all), number(c.patched), number(c.corrected), number(c.all - c.patched - c.corrected), share(c.patched+c.corrected, c.all)})
	}
	slices.SortFunc(s.Rows, func(a, b []string) int { return strings.Compare(b[0], a[0]) })
	return s
}

// controls has, for each inline patch that stands in, what a worksheet of
// compensating controls asks for.
func controls(list []inventory.Exposure, k Known) Section {
	s := Section{Title: "Compensating controls", Text: "Inline patches that stand in for a vendor's patch.", Columns: []string{"Vulnerability and server", "Constraint", "Control", "Objective", "Remaining risk", "Validation", "Maintenance"}}
	counted := map[[2]string]uint64{}
	for _, t := range k.Tallies {
		if t.Mode == "correct" {
			counted[[2]string{t.Definition, t.Service}] += t.Count
		}
	}
	for _, e := range list {
		if e.State != inventory.Corrected {
			continue
		}
		risk := "paths to the server that do not lead through " + k.Host
		if e.Fail == "open" {
			risk += "; the time in which its engine does not run, since the service is then forwarded unchanged"
		}
		s.Rows = append(s.Rows, []string{e.CVE + ", " + server(e), software(e.Component) + " is installed; the vendor's patch is not",
			e.Definition + " in mode correct, in service " + e.Service, "requests are answered as the patched software would: " + e.Title, risk,
			fmt.Sprintf("proof: %s; its own tests passed on this box, under this firmware; %s in the period", orNone(e.Proof), corrections(counted[[2]string{e.Definition, e.Service}])),
			"mode, revision and service are compared with the running wire after each change, and here"})
	}
	return s
}

func corrections(n uint64) string {
	if n == 1 {
		return "1 correction"
	}
	return fmt.Sprintf("%d corrections", n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// versions: every version of a product, or of all.
func versions(q Question, servers []inventory.Server) Section {
	s := Section{Title: "Versions", Columns: []string{"Product", "Version", "Server", "Group", "Known by", "Source", "Since"}}
	if q.Product != "" {
		s.Title = "Every version of " + q.Product
	}
	for _, v := range servers {
		for _, c := range v.Components {
			if q.Group != "" && v.Group != q.Group || q.Product != "" && !strings.EqualFold(c.Name, q.Product) || q.Product == "" && c.Evidence == inventory.BySBOM {
				continue // of bills of materials only when asked: they are long
			}
			s.Rows = append(s.Rows, []string{c.Name, orUnknown(c.Version), strings.TrimSpace(v.Address.String() + " " + v.Name), v.Group, string(c.Evidence), c.Source, c.Seen.UTC().Format(time.DateOnly)})
		}
	}
	slices.SortStableFunc(s.Rows, func(a, b []string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a[0]), strings.ToLower(b[0])), inventory.Compare(a[1], b[1]))
	})
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// effect: what was corrected, and for how long what was open.
func effect(q Question, k Known) []Section {
	s := Section{Title: "Corrections", Text: "What inline patches did, or in shadow would have done, in the period.", Columns: []string{"Inline patch", "Service", "Mode", "Action", "Count"}}
	var sum uint64
	for _, t := range k.Tallies {
		s.Rows = append(s.Rows, []string{t.Definition, t.Service, t.Mode, t.Action, strconv.FormatUint(t.Count, 10)})
		if t.Mode == "correct" {
			sum += t.Count
		}
	}
	s.Text += fmt.Sprintf(" %d corrections in all.", sum)
	d := Section{Title: "How long", Text: "Days of the period in each state, by the history that the box keeps.", Columns: []string{"Vulnerability", "Server", "Open", "In shadow", "Corrected", "Patched", "First seen"}}
	for _, v := range Durations(k.History, q.From, earlier(q.To, k.Now)) {
		d.Rows = append(d.Rows, []string{v.CVE, v.Address, days(v.In[inventory.Exposed] + v.In[inventory.Possible]), days(v.In[inventory.Shadow]), days(v.In[inventory.Corrected]), days(v.In[inventory.Patched]), v.First.UTC().Format(time.DateOnly)})
	}
	return []Section{s, overTime(q, k), d}
}

// steps are how far apart the rows of a table over time may be, and beyond them
// twice as much each time: the first with which there are few.
var steps = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}

const mostSteps = 100

// overTime: when it was corrected.
func overTime(q Question, k Known) Section {
	s := Section{Title: "Over time", Text: "Corrections from each time (UTC) up to the next.", Columns: []string{"From", "corrected", "in shadow"}}
	from, to := q.From.UTC().Truncate(time.Hour), earlier(q.To, k.Now).UTC()
	step := steps[0]
	for i := 1; to.Sub(from)/mostSteps >= step; i++ {
		step *= 2
		if i < len(steps) {
			step = steps[i]
		}
	}
	s.Step = int64(step.Seconds())
	from = from.Truncate(min(step, 24*time.Hour))
	i := 0
	for at := from; at.Before(to); at = at.Add(step) {
		corrected, shadow := uint64(0), uint64(0)
		for ; i < len(k.Hours) && k.Hours[i].At.Before(at.Add(step)); i++ {
			if k.Hours[i].Mode == "correct" {
				corrected += k.Hours[i].Count
			} else {
				shadow += k.Hours[i].Count
			}
		}
		s.Rows = append(s.Rows, []string{at.Format(StepFormat), strconv.FormatUint(corrected, 10), strconv.FormatUint(shadow, 10)})
	}
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func days(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()/24) }

// Duration is how long a vulnerability on a server was in each state.
type Duration struct {
	Address, CVE string
	First        time.Time
	In           map[inventory.State]time.Duration
}

// Durations sums up a history, oldest first, between two times. What was switched
// off too early counts as exposed.
func Durations(history []inventory.Standing, from, to time.Time) (all []Duration) {
	type key struct{ address, cve string }
	at := map[key]int{}
	last := map[key]inventory.Standing{}
	add := func(s inventory.Standing, until time.Time) {
		begin := s.At
		if begin.Before(from) {
			begin = from
		}
		if d := earlier(until, to).Sub(begin); d > 0 {
			state := s.State
			if !slices.Contains(states, state) {
				state = inventory.Exposed
			}
			all[at[key{s.Address, s.CVE}]].In[state] += d
		}
	}
	for _, s := range history {
		k := key{s.Address, s.CVE}
		if _, ok := at[k]; !ok {
			at[k] = len(all)
			all = append(all, Duration{s.Address, s.CVE, s.At, map[inventory.State]time.Duration{}})
		} else {
			add(last[k], s.At)
		}
		last[k] = s
	}
	for _, s := range last {
		add(s, to)
	}
	slices.SortFunc(all, func(a, b Duration) int {
		return cmp.Or(cmp.Compare(b.In[inventory.Exposed], a.In[inventory.Exposed]), strings.Compare(b.CVE, a.CVE), strings.Compare(a.Address, b.Address))
	})
	return all
}

// changes: who changed what, by whose leave.
func changes(q Question, k Known) []Section {
	text := fmt.Sprintf("%d besides the requester must approve.", k.Approvals)
	if k.Approvals == 0 {
		text = "Nobody besides the requester must approve: there are no four eyes."
	}
	s := Section{Title: "Changes", Text: text, Columns: []string{"Number", "State", "Why", "Asked for by", "At", "Approved by", "Outcome", "Plan, SHA-256"}}
	for _, c := range k.Changes {
		if c.Requested.Before(q.From) || !c.Requested.Before(q.To) {
			continue
		}
		var approved []string
		for _, a := range c.Approvals {
			approved = append(approved, a.Who+" "+a.At.UTC().Format(time.DateTime))
		}
		by := strings.Join(approved, ", ")
		if c.Needed == 0 {
			by = "nobody had to"
		}
		outcome := c.Applied.Note
		for _, st := range []string{c.Closed.Note, c.Undone.Note} {
			if st != "" {
				outcome = strings.TrimPrefix(outcome+"; "+st, "; ")
			}
		}
		s.Rows = append(s.Rows, []string{strconv.FormatInt(c.ID, 10), string(c.State), c.Reason, c.Requester, c.Requested.UTC().Format(time.DateTime), by, outcome, c.Plan})
	}
	return []Section{s}
}
