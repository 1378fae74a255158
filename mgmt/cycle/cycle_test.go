package cycle

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/store"
)

func day(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNext(t *testing.T) {
	for name, v := range map[string]struct {
		c    Cycle
		now  string
		want []string
	}{
		"the second Tuesday": {Cycle{Week: 2, Weekday: 2, At: "22:00", Zone: "UTC", Minutes: 120}, "2026-11-26T07:00:00Z", []string{"2026-12-08T22:00:00Z", "2027-01-12T22:00:00Z", "2027-02-09T22:00:00Z"}},
		"the day after it, also when that is in the next week": {Cycle{Week: 2, Weekday: 2, Offset: 1, At: "03:00", Zone: "UTC", Minutes: 60}, "2026-12-09T03:59:00Z", []string{"2026-12-09T03:00:00Z", "2027-01-13T03:00:00Z"}},
		"the third Tuesday of each quarter":                    {Cycle{Week: 3, Weekday: 2, Months: []int{1, 4, 7, 10}, At: "12:00", Zone: "UTC", Minutes: 60}, "2026-11-26T07:00:00Z", []string{"2027-01-19T12:00:00Z", "2027-04-20T12:00:00Z"}},
		"the last Sunday":                                      {Cycle{Week: 5, Weekday: 0, At: "01:30", Zone: "UTC", Minutes: 60}, "2027-01-31T02:30:00Z", []string{"2027-02-28T01:30:00Z", "2027-03-28T01:30:00Z"}},
		"local time stays through daylight saving":             {Cycle{Week: 2, Weekday: 2, At: "22:00", Zone: "Europe/Berlin", Minutes: 60}, "2027-03-01T00:00:00Z", []string{"2027-03-09T21:00:00Z", "2027-04-13T20:00:00Z"}},
		"an offset that leads into the next month":             {Cycle{Week: 5, Weekday: 5, Offset: 10, At: "00:00", Zone: "UTC", Minutes: 60}, "2026-12-01T00:00:00Z", []string{"2026-12-07T00:00:00Z", "2027-01-04T00:00:00Z"}},
	} {
		v.c.Name = name[:3]
		if err := v.c.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := v.c.Next(day(t, v.now), len(v.want))
		for i, w := range v.want {
			if i >= len(got) || !got[i].From.Equal(day(t, w)) || got[i].To.Sub(got[i].From) != time.Duration(v.c.Minutes)*time.Minute {
				t.Errorf("%s: %v; want %v", name, got, v.want)
				break
			}
		}
	}
}

func TestRefused(t *testing.T) {
	good := Cycle{Name: "monthly", Week: 2, Weekday: 2, At: "22:00", Zone: "UTC", Minutes: 60}
	for name, spoil := range map[string]func(*Cycle){
		"name": func(c *Cycle) { c.Name = "<b>" }, "week": func(c *Cycle) { c.Week = 6 }, "weekday": func(c *Cycle) { c.Weekday = 7 }, "months": func(c *Cycle) { c.Months = []int{13} },
		"offset": func(c *Cycle) { c.Offset = -1 }, "at": func(c *Cycle) { c.At = "25:00" }, "zone": func(c *Cycle) { c.Zone = "../../etc/passwd" }, "local": func(c *Cycle) { c.Zone = "Local" }, "minutes": func(c *Cycle) { c.Minutes = 0 }, "remind": func(c *Cycle) { c.Remind = 99 },
	} {
		c := good
		spoil(&c)
		if c.check() == nil {
			t.Errorf("a cycle with a faulty %s is taken", name)
		}
	}
}

func TestReminders(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "c.db"), store.Schema{Steps: []string{Schema}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := day(t, "2026-12-04T21:00:00Z")
	s := &Store{DB: db, Now: func() time.Time { return now }}
	c := Cycle{Name: "patch Tuesday", Week: 2, Weekday: 2, At: "22:00", Zone: "UTC", Minutes: 60, Remind: 4, Note: "with, the; others"}
	if err := s.Put(c); err != nil {
		t.Fatal(err)
	}
	near := func() []Reminder {
		r, err := s.Near()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := near(); len(r) != 0 {
		t.Errorf("reminded more than 4 days ahead: %v", r)
	}
	now = now.Add(time.Hour)
	if r := near(); len(r) != 1 || !r[0].First {
		t.Errorf("4 days ahead: %v; want a first reminder", r)
	}
	if r := near(); len(r) != 1 || r[0].First {
		t.Errorf("a moment later: %v; want it shown, and not first", r)
	}
	now = day(t, "2026-12-08T23:00:00Z")
	if r := near(); len(r) != 0 {
		t.Errorf("after the window: %v", r)
	}
	text := Calendar([]Cycle{c}, now, "rack7")
	for _, want := range []string{"BEGIN:VCALENDAR\r\n", "DTSTART:20270112T220000Z\r\n", "DTEND:20270112T230000Z\r\n", `DESCRIPTION:with\, the\; others`, "TRIGGER:-P4D\r\n", "END:VCALENDAR\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the calendar lacks %q:\n%s", want, text)
		}
	}
	for _, l := range strings.Split(text, "\r\n") {
		if len(l) > 75 {
			t.Errorf("a line of %d bytes", len(l))
		}
	}
	if err := s.Remove("none"); err == nil {
		t.Error("a cycle that is not there is removed")
	}
}
