// Package cycle is the calendar of patching: windows that come again, monthly or
// on a vendor's release day, with a reminder some days ahead. It says when;
// package change does what is to be done in a window.
package cycle

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the image has no files of time zones

	"wirepatch/mgmt/store"
)

// Schema is what is kept of the cycles.
var Schema = store.NamedSchema("cycle")

// Cycle is one window that comes again: on the Week-th Weekday of the months, and
// Offset days after it.
type Cycle struct {
	Name    string `json:"name"`
	Week    int    `json:"week"`    // 1 to 4; 5: the last
	Weekday int    `json:"weekday"` // 0 is Sunday
	Months  []int  `json:"months"`  // 1 to 12; empty: all
	Offset  int    `json:"offset"`  // days after that day
	At      string `json:"at"`      // "22:00", in Zone
	Zone    string `json:"zone"`    // "Europe/Berlin": local time, whatever the clock is set to then
	Minutes int    `json:"minutes"`
	Remind  int    `json:"remind"` // days ahead; 0: not
	Note    string `json:"note,omitempty"`

	Reminded time.Time `json:"reminded"` // of the window that begins then
}

// Window is one occurrence.
type Window struct{ From, To time.Time }

// What is wrong with what was handed in.
var (
	ErrInput = errors.New("this cannot be taken")
	ErrNone  = errors.New("there is no such cycle")
)

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, a...)...)
}

const maxCycles = 50

var nameForm = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,63}$`)

func (c Cycle) check() error {
	switch {
	case !nameForm.MatchString(c.Name):
		return faulty("a name is up to 64 letters, digits, blanks, dots and dashes")
	case c.Week < 1 || c.Week > 5:
		return faulty("week: want 1 to 4, or 5 for the last")
	case c.Weekday < 0 || c.Weekday > 6:
		return faulty("weekday: want 0, Sunday, to 6")
	case c.Offset < 0 || c.Offset > 27:
		return faulty("offset: want 0 to 27 days")
	case c.Minutes < 5 || c.Minutes > 7*24*60:
		return faulty("minutes: want 5 to %d", 7*24*60)
	case c.Remind < 0 || c.Remind > 31:
		return faulty("remind: want 0 to 31 days")
	case len(c.Note) > 500:
		return faulty("note: want up to 500 characters")
	case slices.ContainsFunc(c.Months, func(m int) bool { return m < 1 || m > 12 }):
		return faulty("months: want numbers from 1 to 12")
	}
	if _, _, err := c.clock(); err != nil {
		return err
	}
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		return faulty("zone: got %.40q, want a name as Europe/Berlin or UTC", c.Zone)
	}
	return nil
}

func (c Cycle) clock() (hour, minute int, err error) {
	t, err := time.Parse("15:04", c.At)
	if err != nil {
		return 0, 0, faulty("at: got %.20q, want a time as 22:00", c.At)
	}
	return t.Hour(), t.Minute(), nil
}

// Next returns the next n windows that end after now.
func (c Cycle) Next(now time.Time, n int) (all []Window) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		zone = time.UTC
	}
	hour, minute, _ := c.clock() // checked when it was put in
	local := now.In(zone)
	for i := -2; len(all) < n && i < 12*5; i++ {
		month := time.Date(local.Year(), local.Month()+time.Month(i), 1, 0, 0, 0, 0, zone)
		if len(c.Months) > 0 && !slices.Contains(c.Months, int(month.Month())) {
			continue
		}
		day := dayOf(month, c.Week, time.Weekday(c.Weekday)) + c.Offset
		from := time.Date(month.Year(), month.Month(), day, hour, minute, 0, 0, zone)
		to := from.Add(time.Duration(c.Minutes) * time.Minute)
		if to.After(now) {
			all = append(all, Window{from.UTC(), to.UTC()})
		}
	}
	return all
}

// dayOf is the day of a month that is its week-th weekday.
func dayOf(month time.Time, week int, weekday time.Weekday) int {
	day := 1 + (int(weekday)-int(month.Weekday())+7)%7 + 7*(week-1)
	if last := month.AddDate(0, 1, -1).Day(); day > last {
		day -= 7
	}
	return day
}

// Rule is when the cycle comes, in words.
func (c Cycle) Rule() string {
	text := []string{"first", "second", "third", "fourth", "last"}[min(max(c.Week, 1), 5)-1] + " " + time.Weekday(c.Weekday).String()
	if len(c.Months) > 0 {
		var names []string
		for _, m := range c.Months {
			names = append(names, time.Month(m).String()[:3])
		}
		text += " of " + strings.Join(names, ", ")
	} else {
		text += " of the month"
	}
	if c.Offset > 0 {
		text = strconv.Itoa(c.Offset) + " days after the " + text
	}
	return text + ", " + c.At + " " + c.Zone
}

// Store keeps the cycles.
type Store struct {
	DB  *store.DB
	Now func() time.Time

	mu sync.Mutex
}

func (s *Store) cycles() store.Named[Cycle] { return store.Named[Cycle]{DB: s.DB, Table: "cycle"} }

// Cycles returns all cycles by name.
func (s *Store) Cycles() ([]Cycle, error) { return s.cycles().All() }

// Get returns one cycle.
func (s *Store) Get(name string) (Cycle, error) {
	c, found, err := s.cycles().Get(name)
	if err == nil && !found {
		err = ErrNone
	}
	return c, err
}

// Put adds a cycle or changes it.
func (s *Store) Put(c Cycle) error {
	if err := c.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.cycles().Others(c.Name)
	if err != nil {
		return err
	}
	if n >= maxCycles {
		return faulty("more than %d cycles", maxCycles)
	}
	c.Reminded = time.Time{}
	return s.cycles().Put(c.Name, c)
}

// Remove forgets a cycle.
func (s *Store) Remove(name string) error {
	found, err := s.cycles().Remove(name)
	if err == nil && !found {
		err = ErrNone
	}
	return err
}

// Reminder is a window that is near.
type Reminder struct {
	Cycle  Cycle
	Window Window
	First  bool // nobody has been reminded of it yet
}

// Near returns the windows of which people are to be reminded now. Each is First
// once.
func (s *Store) Near() (all []Reminder, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cycles, err := s.Cycles()
	if err != nil {
		return nil, err
	}
	now := s.Now()
	for _, c := range cycles {
		next := c.Next(now, 1)
		if c.Remind == 0 || len(next) == 0 || next[0].From.AddDate(0, 0, -c.Remind).After(now) {
			continue
		}
		r := Reminder{c, next[0], !c.Reminded.Equal(next[0].From)}
		if r.First {
			c.Reminded = next[0].From
			if err := s.cycles().Put(c.Name, c); err != nil {
				return nil, err
			}
		}
		all = append(all, r)
	}
	return all, nil
}
