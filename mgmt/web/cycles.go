package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/visible"
)

// cycleRow is a patch cycle with its next windows.
type cycleRow struct {
	Name, Rule, Note string
	Minutes, Remind  int
	Next             []windowRow
}

type windowRow struct{ From, To moment }

// shownWindows of each cycle.
const shownWindows = 3

func (s *Site) cycleRows() (rows []cycleRow, err error) {
	all, err := s.Cycles.Cycles()
	for _, c := range all {
		row := cycleRow{Name: visible.Line(c.Name), Rule: visible.Line(c.Rule()), Note: visible.Line(c.Note), Minutes: c.Minutes, Remind: c.Remind}
		for _, w := range c.Next(s.Now(), shownWindows) {
			row.Next = append(row.Next, windowRow{at(w.From), at(w.To)})
		}
		rows = append(rows, row)
	}
	return rows, err
}

// CycleInfo is one cycle in the answer to GET /api/v1/cycles.
type CycleInfo struct {
	cycle.Cycle
	Next []cycle.Window `json:"next"`
}

func (s *Site) apiCycles(w http.ResponseWriter, _ *http.Request, _ visit) {
	all, err := s.Cycles.Cycles()
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	list := []CycleInfo{}
	for _, c := range all {
		list = append(list, CycleInfo{c, c.Next(s.Now(), shownWindows)})
	}
	writeJSON(w, http.StatusOK, list)
}

// calendar is for programs that keep people's appointments.
func (s *Site) calendar(w http.ResponseWriter, r *http.Request, v visit) {
	all, err := s.Cycles.Cycles()
	if err != nil {
		s.fail(w, r, v, http.StatusInternalServerError, "Not to be had", visible.Line(err.Error())+".", "Try again.")
		return
	}
	attach(w, "patch-cycles.ics")
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	_, _ = io.WriteString(w, cycle.Calendar(all, s.Now(), s.hostname())) // an error is a reader that has gone
}

func (s *Site) addCycle(_ *http.Request, _ visit, in url.Values) (done, error) {
	c := cycle.Cycle{Name: in.Get("name"), At: in.Get("at"), Zone: in.Get("zone"), Note: in.Get("note")}
	for key, to := range map[string]*int{"week": &c.Week, "weekday": &c.Weekday, "offset": &c.Offset, "minutes": &c.Minutes, "remind": &c.Remind} {
		if in.Get(key) == "" && (key == "offset" || key == "remind") {
			continue
		}
		n, err := strconv.Atoi(in.Get(key))
		if err != nil {
			return done{}, faulty("%s: got %.20q, want a number", key, in.Get(key))
		}
		*to = n
	}
	for _, m := range strings.FieldsFunc(in.Get("months"), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(m)
		if err != nil {
			return done{}, faulty("months: got %.40q, want numbers from 1 to 12", in.Get("months"))
		}
		c.Months = append(c.Months, n)
	}
	return done{Object: visible.Line(c.Name), Detail: visible.Line(c.Rule())}, s.Cycles.Put(c)
}

func (s *Site) removeCycle(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Cycles.Remove(in.Get("name"))
}

// windowOf is the next window of a cycle that a change is to be in.
func (s *Site) windowOf(name string) (from, to time.Time, err error) {
	c, err := s.Cycles.Get(name)
	if err != nil {
		return from, to, err
	}
	next := c.Next(s.Now(), 1)
	if len(next) == 0 {
		return from, to, faulty("the cycle %s has no window to come", name)
	}
	return next[0].From, next[0].To, nil
}

// Remind tells of windows that are near: as an event, which goes out to other
// systems, once for each; until ctx ends.
func (s *Site) Remind(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if near, err := s.Cycles.Near(); err == nil {
			for _, n := range near {
				if n.First {
					s.Wire.Note("cycle", s.reminderText(n))
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reminderText says what there is to do in a window.
func (s *Site) reminderText(n cycle.Reminder) string {
	text := fmt.Sprintf("patch cycle %s: window from %s to %s", visible.Line(n.Cycle.Name), at(n.Window.From).Text, at(n.Window.To).Text)
	v, err := s.Exposures.View()
	if err != nil {
		return text
	}
	counts := map[string]int{}
	for _, e := range v.Exposures {
		counts[e.Advice]++
	}
	var todo []string
	for _, advice := range []string{"switch on again", "switch on", "patch", "retire", "find out"} {
		if c := counts[advice]; c > 0 {
			todo = append(todo, fmt.Sprintf("%d to %s", c, advice))
		}
	}
	if len(todo) == 0 {
		return text + "; nothing is known to be to do"
	}
	return text + "; " + strings.Join(todo, ", ")
}

// cycleAlerts are the windows that are near.
func (s *Site) cycleAlerts() (a []alert) {
	all, err := s.Cycles.Cycles()
	if err != nil {
		return nil
	}
	for _, c := range all {
		next := c.Next(s.Now(), 1)
		if c.Remind > 0 && len(next) > 0 && !next[0].From.AddDate(0, 0, -c.Remind).After(s.Now()) {
			a = append(a, alert{false, capital(s.reminderText(cycle.Reminder{Cycle: c, Window: next[0]})), "The pages Vulnerabilities and Reports list it; what is pending can be put into this window on the page Changes."})
		}
	}
	return a
}
