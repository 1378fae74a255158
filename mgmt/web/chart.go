package web

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/report"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/wire"
)

// chart is a series over time in two forms: a picture, which is there without
// scripts and is what a screen reader is told of, and the same figures as data, of
// which chart.js makes one to point at and to zoom in.
type chart struct {
	ID, Caption string
	Label       string // what the picture shows, in words
	Lines       []chartLine
	Data        string // a plot as JSON
}

// chartLine is one of a picture's series.
type chartLine struct {
	Class, Path string
	Key         string // its name, and where it stands now
}

// plot is a chart's figures as chart.js reads them.
type plot struct {
	Label  string       `json:"label"`
	Unit   string       `json:"unit"` // "bit/s", "share" (0 to 1) or "count"
	Step   float64      `json:"step"` // seconds from one to the next
	Slots  int          `json:"slots"`
	Bars   bool         `json:"bars"`
	Names  []string     `json:"names"`
	Times  []float64    `json:"times"`  // Unix time, rising
	Values [][]*float64 `json:"values"` // of each series; null: not known
}

// add puts figures at the end; NaN: not known. What a clock that was set back had
// yet to reach is given up, and what lies further back than the chart shows.
func (p *plot) add(at time.Time, values ...float64) {
	t := math.Round(float64(at.UnixMilli())/100) / 10
	keep := len(p.Times)
	for keep > 0 && p.Times[keep-1] >= t {
		keep--
	}
	from := 0
	for from < keep && p.Times[from] <= t-p.Step*float64(p.Slots) {
		from++
	}
	if p.Values == nil {
		p.Values = make([][]*float64, len(p.Names))
	}
	p.Times = append(slices.Clone(p.Times[from:keep]), t)
	for i, v := range values {
		p.Values[i] = append(slices.Clone(p.Values[i][from:keep]), known(v))
	}
}

func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// top is the largest figure, at least least.
func (p *plot) top(least float64) float64 {
	for _, list := range p.Values {
		for _, v := range list {
			if v != nil {
				least = max(least, *v)
			}
		}
	}
	return least
}

// now is the last figure of a series, NaN when it is not known.
func (p *plot) now(series int) float64 {
	if n := len(p.Times); n > 0 && p.Values[series][n-1] != nil {
		return *p.Values[series][n-1]
	}
	return math.NaN()
}

// Size of a picture's drawing area, in units of its viewBox.
const chartWidth, chartHeight = 600.0, 60.0

// lineClasses are how the series are told from each other.
var lineClasses = []string{"up", "down"}

// draw makes the picture; top is the figure at its upper edge.
func (p *plot) draw(id string, top float64) chart {
	c := chart{ID: id, Label: p.Label}
	for i, name := range p.Names {
		l := chartLine{Class: lineClasses[i], Key: name}
		if p.Bars {
			l.Class, l.Path = "bars "+l.Class, p.bars(i, top)
		} else {
			l.Path = p.curve(i, top)
		}
		c.Lines = append(c.Lines, l)
	}
	if p.Times == nil { // nothing is known yet
		p.Times, p.Values = []float64{}, slices.Repeat([][]*float64{{}}, len(p.Names))
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and texts of our own
	}
	c.Data = string(text)
	return c
}

// curve draws one line; where nothing is known it is broken.
func (p *plot) curve(series int, top float64) string {
	var b strings.Builder
	move := "M"
	for i, t := range p.Times {
		v := p.Values[series][i]
		x := chartWidth * (1 - (p.Times[len(p.Times)-1]-t)/(p.Step*float64(p.Slots-1)))
		if v == nil || x < 0 {
			move = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", move, x, chartHeight*(1-*v/top))
		move = "L"
	}
	return b.String()
}

// bars draws a bar for each figure, those of several series beside each other.
func (p *plot) bars(series int, top float64) string {
	var b strings.Builder
	slot := chartWidth / float64(p.Slots)
	width := slot * 0.8 / float64(len(p.Names))
	for i, t := range p.Times {
		v := p.Values[series][i]
		x := chartWidth - slot*((p.Times[len(p.Times)-1]-t)/p.Step+1) + width*float64(series)
		if v != nil && *v > 0 && x >= 0 {
			h := chartHeight * *v / top
			fmt.Fprintf(&b, "M%.1f %.1fv%.1fh%.1fv%.1fz", x, chartHeight, -h, width, h)
		}
	}
	return b.String()
}

// drawRates is the throughput of the last minutes.
func drawRates(h []wire.Sample) chart {
	p := plot{Label: "Throughput", Unit: "bit/s", Step: wire.Interval.Seconds(), Slots: wire.HistoryLength, Names: []string{"to servers", "to clients"}}
	for _, s := range h {
		if s.Known {
			p.add(s.At, math.Round(s.ToServers), math.Round(s.ToClients))
		} else {
			p.add(s.At, math.NaN(), math.NaN())
		}
	}
	top := p.top(1000) // bit/s: below that, a flat line
	c := p.draw("chart-rates", top)
	c.Caption = fmt.Sprintf("Throughput of the last %s, up to %s", span(wire.HistoryLength*wire.Interval), bitRate(top))
	for i := range c.Lines {
		if v := p.now(i); !math.IsNaN(v) {
			c.Lines[i].Key += " " + bitRate(v)
		}
	}
	c.Label = fmt.Sprintf("Throughput of the last %s, at most %s; now %s, %s", span(wire.HistoryLength*wire.Interval), bitRate(top), c.Lines[0].Key, c.Lines[1].Key)
	return c
}

// drawMinutes is corrections per minute. Minutes without the dataplane have no
// entry: they leave a gap.
func drawMinutes(list []wire.Minute) chart {
	p := plot{Label: "Corrections per minute", Unit: "count", Step: 60, Slots: wire.MinutesKept, Bars: true, Names: []string{"corrections"}}
	now, sum, most := uint64(0), uint64(0), uint64(0)
	for _, m := range list {
		p.add(m.At, float64(m.N))
		now, sum, most = m.N, sum+m.N, max(most, m.N)
	}
	c := p.draw("chart-minutes", p.top(1))
	c.Lines[0].Key = ""
	c.Caption = fmt.Sprintf("%s in this minute, %s in the last %s; at most %s a minute", count(now), count(sum), span(wire.MinutesKept*time.Minute), count(most))
	c.Label = "Corrections per minute: " + c.Caption
	return c
}

// drawLoad is the load of the box.
func drawLoad(list []system.Minute) chart {
	p := plot{Label: "Load of the box", Unit: "share", Step: 60, Slots: system.MinutesKept, Names: []string{"processor", "memory"}}
	for _, m := range list {
		p.add(m.At, math.Round(m.CPU*1000)/1000, math.Round(m.Memory*1000)/1000)
	}
	c := p.draw("chart-load", 1)
	c.Caption = "The last " + span(system.MinutesKept*time.Minute) + ", a mean for each minute"
	for i := range c.Lines {
		if v := p.now(i); !math.IsNaN(v) {
			c.Lines[i].Key += " " + percent(v)
		}
	}
	c.Label = fmt.Sprintf("Load of the last %s; in this minute %s, %s", span(system.MinutesKept*time.Minute), c.Lines[0].Key, c.Lines[1].Key)
	return c
}

// drawSection is a report's table over time: its first column holds times, the
// others counts. nil: it is none.
func drawSection(id string, s report.Section) *chart {
	if s.Step <= 0 || len(s.Rows) == 0 || len(s.Columns) < 2 || len(s.Columns) > 1+len(lineClasses) {
		return nil
	}
	p := plot{Label: s.Title, Unit: "count", Step: float64(s.Step), Slots: len(s.Rows), Bars: true, Names: s.Columns[1:]}
	sums := make([]float64, len(p.Names))
	for _, row := range s.Rows {
		at, err := time.Parse(report.StepFormat, row[0])
		if err != nil || len(row) != len(s.Columns) {
			return nil
		}
		values := make([]float64, len(p.Names))
		for i, cell := range row[1:] {
			if values[i], err = strconv.ParseFloat(cell, 64); err != nil {
				return nil
			}
			sums[i] += values[i]
		}
		p.add(at, values...)
	}
	most := p.top(1)
	c := p.draw(id, most)
	c.Caption = fmt.Sprintf("%s to %s, at most %s in %s", s.Rows[0][0], s.Rows[len(s.Rows)-1][0], count(uint64(p.top(0))), span(time.Duration(s.Step)*time.Second))
	for i := range c.Lines {
		c.Lines[i].Key += " " + count(uint64(sums[i]))
	}
	c.Label = s.Title + ", " + c.Caption + ", as in the table of figures"
	return &c
}
