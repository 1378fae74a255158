package cycle

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var days = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// Calendar writes the next windows of cycles as iCalendar (RFC 5545), each as an
// event of its own in UTC: an offset of days after a weekday has no rule there
// that all calendars read alike. Where there is no offset, the rule stands in a
// comment.
func Calendar(all []Cycle, now time.Time, host string) string {
	var b strings.Builder
	line := func(format string, a ...any) { b.WriteString(fold(fmt.Sprintf(format, a...)) + "\r\n") }
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//Wirepatch//Patch cycles//EN")
	for _, c := range all {
		for _, w := range c.Next(now, 12) {
			const form = "20060102T150405Z"
			line("BEGIN:VEVENT")
			line("UID:%s-%s@%s", w.From.Format(form), escape(strings.ReplaceAll(c.Name, " ", "-")), escape(host))
			line("DTSTAMP:%s", now.UTC().Format(form))
			line("DTSTART:%s", w.From.Format(form))
			line("DTEND:%s", w.To.Format(form))
			line("SUMMARY:%s", escape("Patch cycle: "+c.Name))
			if c.Note != "" {
				line("DESCRIPTION:%s", escape(c.Note))
			}
			if c.Offset == 0 {
				line("COMMENT:%s", escape("FREQ=MONTHLY;BYDAY="+strconv.Itoa(map[bool]int{true: -1, false: c.Week}[c.Week == 5])+days[c.Weekday]+" at "+c.At+" "+c.Zone))
			}
			if c.Remind > 0 {
				line("BEGIN:VALARM")
				line("ACTION:DISPLAY")
				line("DESCRIPTION:%s", escape("Patch cycle: "+c.Name))
				line("TRIGGER:-P%dD", c.Remind)
				line("END:VALARM")
			}
			line("END:VEVENT")
		}
	}
	line("END:VCALENDAR")
	return b.String()
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r", "", "\n", `\n`).Replace(s)
}

// fold breaks a line after 75 bytes, not within a character (3.1).
func fold(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		size := len(string(r))
		if n+size > 74 {
			b.WriteString("\r\n ")
			n = 1
		}
		b.WriteRune(r)
		n += size
	}
	return b.String()
}
