package web

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"wirepatch/mgmt/browser"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/wire"
)

func TestPlot(t *testing.T) {
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	p := plot{Step: 60, Slots: 4, Names: []string{"a", "b"}}
	steps := []struct {
		minutes int
		value   float64
		want    int // figures that are there
	}{{0, 1, 1}, {1, math.NaN(), 2}, {2, 3, 3}, {3, 4, 4}, {4, 5, 4}, {2, 6, 2}, {9, 7, 1}} // a clock set back, and one set ahead
	for _, s := range steps {
		p.add(at.Add(time.Duration(s.minutes)*time.Minute), s.value, 2*s.value)
		if len(p.Times) != s.want || len(p.Values[0]) != s.want || len(p.Values[1]) != s.want {
			t.Fatalf("after minute %d: %v %v; want %d", s.minutes, p.Times, p.Values, s.want)
		}
	}
	if p.now(1) != 14 || p.top(1) != 14 {
		t.Errorf("now %v, top %v; want 14", p.now(1), p.top(1))
	}
}

func TestPictures(t *testing.T) {
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	samples := []wire.Sample{{At: at, Known: true, ToServers: 2000, ToClients: 4000}, {At: at.Add(time.Second)}, {At: at.Add(2 * time.Second), Known: true, ToServers: 4000, ToClients: 0}}
	minutes := []wire.Minute{{At: at, N: 4}, {At: at.Add(time.Minute), N: 0}, {At: at.Add(3 * time.Minute), N: 8}}
	over := report.Section{Title: "Over time", Columns: []string{"From", "corrected", "in shadow"}, Step: 3600, Rows: [][]string{{"2026-11-26 08:00", "3", "0"}, {"2026-11-26 09:00", "0", "6"}}}
	tests := []struct {
		name  string
		c     chart
		paths []string
		says  string
	}{
		{"rates", drawRates(samples), []string{"M589.9 30.0M600.0 0.0", "M589.9 0.0M600.0 60.0"}, "at most 4.00 kbit/s; now to servers 4.00 kbit/s, to clients 0 bit/s"},
		{"minutes", drawMinutes(minutes), []string{"M580.0 60.0v-30.0h4.0v30.0zM595.0 60.0v-60.0h4.0v60.0z"}, "8 in this minute, 12 in the last 2 h; at most 8 a minute"},
		{"nothing yet", drawMinutes(nil), []string{""}, "0 in this minute"},
		{"a report", *drawSection("x", over), []string{"M0.0 60.0v-30.0h120.0v30.0z", "M420.0 60.0v-60.0h120.0v60.0z"}, "at most 6 in 1 h"},
	}
	for _, tt := range tests {
		for i, want := range tt.paths {
			if tt.c.Lines[i].Path != want {
				t.Errorf("%s: path %q; want %q", tt.name, tt.c.Lines[i].Path, want)
			}
		}
		if !strings.Contains(tt.c.Label, tt.says) {
			t.Errorf("%s is said to be %q; want %q in it", tt.name, tt.c.Label, tt.says)
		}
		if !json.Valid([]byte(tt.c.Data)) || strings.Contains(tt.c.Data, ":null") {
			t.Errorf("%s: %s; want lists", tt.name, tt.c.Data)
		}
	}
	for _, bad := range []report.Section{{}, {Columns: over.Columns, Rows: over.Rows}, {Step: 60, Columns: over.Columns, Rows: [][]string{{"x", "1", "2"}}}, {Step: 60, Columns: over.Columns, Rows: [][]string{{"2026-11-26 08:00", "x", "2"}}}} {
		if drawSection("x", bad) != nil {
			t.Errorf("%+v has a chart", bad)
		}
	}
}

// legend is what uPlot's legend says, in a line.
const legend = `document.querySelector("#chart-rates .u-legend")?.innerText.replace(/\s+/g, " ") ?? ""`

// charts points at the overview's charts, chooses a range, moves by keyboard, and
// sees new figures come; and has the box's own pictures where no script runs.
func (b looker) charts(base string) {
	b.Helper()
	b.traffic()
	says := func(what string, s wire.Sample) {
		b.Helper()
		b.Until(what, fmt.Sprintf(`(t => t.includes(%q) && t.includes(%q))(%s)`, bitRate(s.ToServers), bitRate(s.ToClients), legend))
	}
	history := func() []wire.Sample { return b.poller.State().Dataplane.History }
	h := history()
	says("the chart says the last figures", h[len(h)-1])
	if n := browser.Ask[int](b.Browser, `(c => { const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n })(document.querySelector("#chart-rates canvas"))`); n < 1000 {
		b.Errorf("%d pixels of the chart are drawn", n)
	}
	b.set(func() { b.status.Ports[0].RxBytes += 777_000; b.status.Ports[1].RxBytes += 55_500_000 })
	b.advance(wire.Interval)
	b.poller.Poll(b.Context())
	h = history()
	says("new figures come", h[len(h)-1])
	b.byMouse(h)
	b.byKey(h)
	b.Shot("charts")
	b.withoutScripts(base)
}

// place is the middle of the rates' chart.
type place struct{ X, Y, Width float64 }

func (b looker) byMouse(h []wire.Sample) {
	b.Helper()
	b.Do("pause", chromedp.Click(css("#fresh button"))) // what is pointed at stays where it is
	browser.Ask[bool](b.Browser, `document.querySelector("#chart-rates").scrollIntoView({block: "center"}) || true`)
	const over = `(r => ({X: r.x, Y: r.y + r.height / 2, Width: r.width}))(document.querySelector("#chart-rates .u-over").getBoundingClientRect())`
	p := browser.Ask[place](b.Browser, over)
	move := func(kind input.DispatchMouseEventType, at float64) {
		b.Helper()
		e := input.DispatchMouseEventParams{Type: kind, X: p.X + p.Width*at, Y: p.Y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			e.Button, e.ClickCount = input.MouseButtonLeft, 1
		}
		browser.Call(b.Browser, input.DispatchMouseEvent, e)
	}
	move(input.DispatchMouseEventTypeMouseMoved, 0.4)
	move(input.DispatchMouseEventTypeMouseMoved, 0.5)
	found := false
	said := browser.Ask[string](b.Browser, legend)
	for _, s := range h[len(h)/2-2 : len(h)/2+2] {
		found = found || strings.Contains(said, bitRate(s.ToServers)) && strings.Contains(said, bitRate(s.ToClients)) && strings.Contains(said, s.At.Format(time.TimeOnly))
	}
	if !found {
		b.Errorf("pointed at in its middle the chart says %q; want a sample from there", said)
	}
	before := browser.Ask[string](b.Browser, rangeShown)
	move(input.DispatchMouseEventTypeMousePressed, 0.5)
	for _, at := range []float64{0.55, 0.65, 0.75} {
		move(input.DispatchMouseEventTypeMouseMoved, at)
	}
	move(input.DispatchMouseEventTypeMouseReleased, 0.75)
	b.Until("a range is chosen", fmt.Sprintf("%s !== %q", rangeShown, before))
	if begin, end := shownRange(b); end.Sub(begin) > h[len(h)-1].At.Sub(h[0].At)/3 {
		b.Errorf("a quarter of the chart was chosen; %v to %v is shown", begin, end)
	}
	b.Do("all", chromedp.Click(css("#chart-rates .tools button:nth-child(3)")))
	b.Until("all is shown again", fmt.Sprintf("%s === %q", rangeShown, before))
	b.Do("resume", chromedp.Click(css("#fresh button")))
}

const rangeShown = `document.querySelector("#chart-rates .range").textContent`

func shownRange(b looker) (begin, end time.Time) {
	b.Helper()
	text := strings.TrimSuffix(browser.Ask[string](b.Browser, rangeShown), " UTC")
	from, to, _ := strings.Cut(text, " to ")
	begin, err := time.Parse(time.DateTime, from)
	b.must(err)
	end, err = time.Parse(time.DateTime, to)
	b.must(err)
	return begin, end
}

func (b looker) byKey(h []wire.Sample) {
	b.Helper()
	const spoken = `document.querySelector("#chart-rates [role=slider]").getAttribute("aria-valuetext")`
	b.Do("to the first", chromedp.Focus(css("#chart-rates [role=slider]")), chromedp.KeyEvent(kb.Home))
	said := func(what string, s wire.Sample) {
		b.Helper()
		values := fmt.Sprintf("to servers %s, to clients %s", bitRate(s.ToServers), bitRate(s.ToClients))
		if !s.Known {
			values = "to servers not known, to clients not known"
		}
		b.Until(what+" is said", fmt.Sprintf(`%s.replace(/\s/g, " ") === %q`, spoken, s.At.Format(time.DateTime)+" UTC: "+values))
	}
	said("the first", h[0])
	b.Do("to the last but one", chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.ArrowLeft))
	said("the last but one", h[len(h)-2])
	before := browser.Ask[string](b.Browser, rangeShown)
	b.Do("nearer", chromedp.KeyEvent("+"))
	b.Until("less is shown", fmt.Sprintf("%s !== %q", rangeShown, before))
	begin, end := shownRange(b)
	b.set(func() { b.status.Ports[0].Dropped++; b.status.Ports[0].RxBytes += 1000 })
	b.advance(wire.Interval)
	b.poller.Poll(b.Context())
	now := b.poller.State().Dataplane.History
	b.Until("newer figures are there", fmt.Sprintf(`document.querySelector("#chart-rates").dataset.plot.includes("%d")`, now[len(now)-1].At.Unix()))
	if b2, e2 := shownRange(b); b2 != begin || e2 != end {
		b.Errorf("%v to %v is shown once newer figures are there; %v to %v was chosen", b2, e2, begin, end)
	}
	if !browser.Ask[bool](b.Browser, `document.activeElement === document.querySelector("#chart-rates [role=slider]")`) {
		b.Error("the chart has lost the keyboard after a refresh")
	}
	b.Do("all", chromedp.KeyEvent("0"), chromedp.KeyEvent(kb.Escape))
}

// withoutScripts opens pages with a chart in a browser that runs none.
func (b looker) withoutScripts(base string) {
	b.Helper()
	off := func(v bool) {
		browser.Call(b.Browser, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v})
	}
	off(true)
	for _, path := range []string{"/", "/system", "/reports/now?kind=effect"} {
		b.Do("open "+path, chromedp.Navigate(base+path), chromedp.WaitVisible(css("figure.chart svg")))
		if got := browser.Ask[string](b.Browser, `document.querySelectorAll(".uplot").length + " " + [...document.querySelectorAll("figure.chart svg")].filter(s => s.getBoundingClientRect().width < 200 || !s.getAttribute("aria-label")).length`); got != "0 0" {
			b.Errorf("%s without scripts: %q; want no uPlot, and each picture wide with its words", path, got)
		}
	}
	b.Shot("without-scripts")
	off(false)
	for _, path := range []string{"/system", "/reports/now?kind=effect", "/"} {
		b.Do("open "+path, chromedp.Navigate(base+path), chromedp.WaitVisible(css("figure.chart canvas")))
	}
}
