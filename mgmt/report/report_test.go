package report

import (
	"bytes"
	"compress/zlib"
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/change"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/inventory"
)

var november = Question{Kind: Exposure, From: day(2026, 11, 1), To: day(2026, 12, 1)}

func day(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func known() Known {
	e := func(cve, address string, state inventory.State, version, mode, advice string) inventory.Exposure {
		x := inventory.Exposure{CVE: cve, Title: "t", Address: netip.MustParseAddr(address), Server: "s", Group: "web", Component: inventory.Component{Name: "gin", Version: version, Evidence: inventory.ByBanner, Source: "port 80, Server: gin"},
			State: state, Mode: mode, Advice: advice, Since: day(2026, 11, 2), Why: []string{"because – é ☃"}, Fail: "open", Proof: "real pair", Service: "portal"}
		if mode != "" {
			x.Definition = "WP-2023-26125"
		}
		return x
	}
	view := &inventory.View{Advisories: 7, Exposures: []inventory.Exposure{
		e("CVE-2023-26125", "10.0.0.1", inventory.Exposed, "1.8.2", "off", "switch on"), e("CVE-2023-26125", "10.0.0.2", inventory.Corrected, "1.8.2", "correct", "patch"),
		e("CVE-2023-26125", "10.0.0.3", inventory.Patched, "1.9.1", "correct", "retire"), e("CVE-2023-29401", "10.0.0.1", inventory.Possible, "", "", "find out"),
	}}
	for i, v := range []string{"1.10.0", "1.8.2", "1.9.1"} {
		view.Servers = append(view.Servers, inventory.Server{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Group: "web", Components: []inventory.Component{{Name: "gin", Version: v, Evidence: inventory.ByBanner}}})
	}
	return Known{Host: "rack7", Firmware: "0.1.0", Now: day(2026, 11, 26), View: view, Head: "4711:abc",
		Hours:   []events.Hour{{At: day(2026, 11, 3).Add(5 * time.Hour), Mode: "correct", Count: 40}, {At: day(2026, 11, 3).Add(9 * time.Hour), Mode: "shadow", Count: 7}, {At: day(2026, 11, 4), Mode: "correct", Count: 2}},
		Tallies: []events.Tally{{Definition: "WP-2023-26125", Service: "portal", Mode: "correct", Action: "remove", Count: 42}},
		History: []inventory.Standing{{Address: "10.0.0.1", CVE: "CVE-2023-26125", State: inventory.Exposed, At: day(2026, 10, 1)}, {Address: "10.0.0.1", CVE: "CVE-2023-26125", State: inventory.Corrected, At: day(2026, 11, 11)}, {Address: "10.0.0.1", CVE: "CVE-2023-26125", State: "early", At: day(2026, 11, 21)}},
		Changes: []*change.Change{{ID: 1, State: change.Done, Reason: "in", Requester: "op", Requested: day(2026, 11, 5), Needed: 1, Approvals: []change.Approval{{Who: "ap", At: day(2026, 11, 6)}}, Plan: "p"}, {ID: 2, Reason: "before", Requested: day(2026, 10, 5)}}}
}

// rows is a section as text, a row a line.
func rows(t *testing.T, r *Report, title string) string {
	t.Helper()
	for _, s := range r.Sections {
		if s.Title == title {
			var b strings.Builder
			for _, row := range s.Rows {
				b.WriteString(strings.Join(row, "|") + "\n")
				if len(row) != len(s.Columns) {
					t.Errorf("%s: %d cells; want %d", title, len(row), len(s.Columns))
				}
			}
			return s.Text + "\n" + b.String()
		}
	}
	t.Fatalf("%s has no section %q", r.Title, title)
	return ""
}

func TestReports(t *testing.T) {
	make := func(change func(*Question)) *Report {
		t.Helper()
		q := november
		change(&q)
		r, err := Make(q, known())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	holds := func(text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("lacks %q:\n%s", w, text)
			}
		}
	}
	r := make(func(*Question) {})
	holds(rows(t, r, "In short"), "3 servers, 7 advisories", "exposed|1|0", "patched|1|0")
	holds(rows(t, r, "To do"), "switch on|CVE-2023-26125|10.0.0.1 s", "retire|CVE-2023-26125|10.0.0.3 s")
	if open := rows(t, r, "Open"); strings.Count(open, "10.0.0.") != 2 {
		t.Errorf("open: %s; want what is exposed and what may be", open)
	}
	r = make(func(q *Question) { q.Kind, q.CVE = Compliance, "CVE-2023-26125" })
	holds(rows(t, r, "By vulnerability"), "CVE-2023-26125|3|1|1|1|67 %")
	holds(rows(t, r, "Servers without the fix"), "10.0.0.1 s|web|gin 1.8.2|exposed", "10.0.0.2 s|web|gin 1.8.2|corrected")
	holds(rows(t, r, "Servers with the fix"), "10.0.0.3 s|web|gin 1.9.1|banner, port 80")
	holds(rows(t, r, "Compensating controls"), "the time in which its engine does not run", "proof: real pair", "42 corrections in the period")
	r = make(func(q *Question) { q.Kind, q.Product = Compliance, "GIN" })
	if v := rows(t, r, "Every version of GIN"); strings.Index(v, "1.8.2") > strings.Index(v, "1.9.1") || strings.Index(v, "1.9.1") > strings.Index(v, "1.10.0") {
		t.Errorf("versions: %s; want all in their order", v)
	}
	r = make(func(q *Question) { q.Kind = Effect })
	holds(rows(t, r, "Corrections"), "42 corrections in all", "WP-2023-26125|portal|correct|remove|42")
	holds(rows(t, r, "Over time"), "2026-11-03 00:00|40|7", "2026-11-04 00:00|2|0", "2026-11-05 00:00|0|0")
	for _, long := range []struct {
		from, to time.Time
		step     int64
	}{{day(2026, 11, 25), day(2026, 11, 26), 3600}, {day(2026, 10, 1), day(2026, 11, 26), 86400}, {day(2025, 11, 26), day(2026, 11, 26), 7 * 86400}, {day(2012, 1, 1), day(2026, 11, 26), 2 * 28 * 86400}, {time.Time{}, day(9999, 1, 1), 0}} {
		over := make(func(q *Question) { q.Kind, q.From, q.To = Effect, long.from, long.to }).Sections[1]
		if long.step != 0 && over.Step != long.step || len(over.Rows) > 1000 {
			t.Errorf("%s to %s: %d rows, %d seconds apart; want %d", long.from, long.to, len(over.Rows), over.Step, long.step)
		}
	}
	holds(rows(t, r, "How long"), "CVE-2023-26125|10.0.0.1|15.0|0.0|10.0|0.0|2026-10-01") // ten days of November, and five until today
	r = make(func(q *Question) { q.Kind = Changes })
	holds(rows(t, r, "Changes"), "there are no four eyes", "1|done|in|op|2026-11-05 00:00:00|ap 2026-11-06")
	if strings.Contains(rows(t, r, "Changes"), "before") {
		t.Error("a change from before the period is in the report")
	}
	for _, bad := range []Question{{Kind: "x", To: day(2026, 1, 1)}, {Kind: Effect, From: day(2026, 2, 1), To: day(2026, 1, 1)}, {Kind: Effect, To: day(2026, 1, 1), CVE: strings.Repeat("x", 501)}} {
		if _, err := Make(bad, known()); err == nil {
			t.Errorf("%+v is answered", bad)
		}
	}
}

var streams = regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`)

// pdfText is what a PDF's pages draw.
func pdfText(t *testing.T, pdf []byte) string {
	t.Helper()
	if !bytes.HasPrefix(pdf, []byte("%PDF-1.")) || !bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF")) {
		t.Fatalf("no PDF: %.40q", pdf)
	}
	var b strings.Builder
	for _, m := range streams.FindAllSubmatch(pdf, -1) {
		if r, err := zlib.NewReader(bytes.NewReader(m[1])); err == nil {
			io.Copy(&b, r)
		}
	}
	return b.String()
}

func TestWriting(t *testing.T) {
	q := november
	r, err := Make(q, known())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6000 { // many pages, and cells that are longer than one
		r.Sections[2].Rows = append(r.Sections[2].Rows, []string{fmt.Sprintf("CVE-2020-%d", i), "10.0.0.1", "", "=cmd", "exposed", "1", "no", "", "", strings.Repeat("long ", i%900)})
	}
	pdf, err := r.PDF()
	if err != nil {
		t.Fatal(err)
	}
	text := pdfText(t, pdf)
	for _, want := range []string{"Exposure", "Wirepatch rack7", "CVE-2023-26125", "CVE-2020-4000", "more rows are in the CSV", "4711:abc", "because \x96 \xe9"} {
		if !strings.Contains(text, want) {
			t.Errorf("the PDF lacks %q", want)
		}
	}
	var b bytes.Buffer
	if err := r.CSV(&b); err != nil {
		t.Fatal(err)
	}
	c := csv.NewReader(&b)
	c.FieldsPerRecord = -1
	all, err := c.ReadAll()
	if err != nil || len(all) < 6010 || all[0][3] != "2026-11-01 to 2026-12-01" {
		t.Errorf("CSV: %d lines, %v", len(all), err)
	}
	for _, line := range all {
		for _, cell := range line {
			if strings.HasPrefix(cell, "=") {
				t.Fatalf("a cell is a formula: %q", cell)
			}
		}
	}
}

func TestPeriods(t *testing.T) {
	now := time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC) // a Thursday
	for every, want := range map[string][3]time.Time{
		"day": {day(2026, 11, 25), day(2026, 11, 26), day(2026, 11, 27)}, "week": {day(2026, 11, 16), day(2026, 11, 23), day(2026, 11, 30)},
		"month": {day(2026, 10, 1), day(2026, 11, 1), day(2026, 12, 1)}, "quarter": {day(2026, 7, 1), day(2026, 10, 1), day(2027, 1, 1)},
	} {
		from, to := periodBefore(every, now)
		if next := nextEnd(every, now); from != want[0] || to != want[1] || next != want[2] {
			t.Errorf("%s: %v to %v, next %v; want %v", every, from, to, next, want)
		}
	}
}
