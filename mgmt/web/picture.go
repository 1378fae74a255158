package web

import (
	"fmt"
	"strings"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// picture is the wire as it is drawn, and the same in a table.
type picture struct {
	Known  bool // false: no dataplane has ever answered
	Alive  bool // the engine answers now
	A, B   portView
	Kernel string // packets forwarded in the kernel, both ways
	Engine string // packets through the engine, both ways
	Chart  chart
}

type portView struct {
	Letter, Name, Side string
	Up                 bool
	Link, Speed        string
	Rate               string // received; "" unknown
	Driver, MAC        string
	Attach             string
	Rx, RxBytes        string
	Forwarded          string
	HandedUp           string
	Tx, Dropped        string
}

func drawWire(d wire.Dataplane) picture {
	p := picture{Alive: d.Answers, A: portView{Letter: "A"}, B: portView{Letter: "B"}}
	if d.Status == nil || len(d.Status.Ports) != 2 {
		return p
	}
	a, b := d.Status.Ports[0], d.Status.Ports[1]
	p.Known = true
	p.A, p.B = viewPort(0, a), viewPort(1, b)
	if len(d.Rates) == 2 {
		p.A.Rate, p.B.Rate = bitRate(d.Rates[0].RxBits), bitRate(d.Rates[1].RxBits)
	}
	p.Kernel = count(a.Forwarded + b.Forwarded)
	p.Engine = count(a.HandedUp + b.HandedUp)
	p.Chart = drawChart(d.History)
	return p
}

func portLetter(i int) string { return string(rune('A' + i)) }

func viewPort(i int, p control.Port) portView {
	v := portView{
		Letter: portLetter(i), Name: visible.Line(p.Name), Side: []string{"clients", "servers"}[i],
		Up: p.Up, Link: "link", Speed: linkSpeed(p.SpeedMbit),
		Driver: visible.Line(p.Driver), MAC: visible.Line(p.MAC), Attach: visible.Line(attachment(p)),
		Rx: count(p.RxPackets), RxBytes: byteSize(p.RxBytes), Forwarded: count(p.Forwarded),
		HandedUp: count(p.HandedUp), Tx: count(p.TxPackets), Dropped: count(p.Dropped),
	}
	if !p.Up {
		v.Link, v.Speed = "no link", "no link"
	}
	return v
}

// attachment says how the program sits on a port, and why it is not otherwise.
func attachment(p control.Port) string {
	if p.AttachWhy == "" {
		return p.Attach
	}
	return p.Attach + " (" + p.AttachWhy + ")"
}

// Size of the chart's drawing area, in units of its viewBox.
const chartWidth, chartHeight = 600.0, 60.0

// chart is the throughput of the last minutes as two SVG paths.
type chart struct {
	ToServers, ToClients string
	Top                  string // rate at the upper edge
	Span                 string
}

func drawChart(h []wire.Sample) chart {
	top := 1000.0 // bit/s: below that, a flat line
	for _, s := range h {
		top = max(top, s.ToServers, s.ToClients)
	}
	return chart{
		ToServers: curve(h, top, func(s wire.Sample) float64 { return s.ToServers }),
		ToClients: curve(h, top, func(s wire.Sample) float64 { return s.ToClients }),
		Top:       bitRate(top),
		Span:      span(wire.HistoryLength * wire.Interval),
	}
}

// bars is corrections per minute, a bar each.
type bars struct {
	Path    string
	Top     string // count at the upper edge
	Now, In string // in this minute, and in all that are shown
	Span    string
}

func drawMinutes(list []wire.Minute) bars {
	top, sum := uint64(1), uint64(0)
	for _, m := range list {
		top = max(top, m.N)
		sum += m.N
	}
	b := bars{Top: count(top), In: count(sum), Now: "0", Span: span(wire.MinutesKept * time.Minute)}
	var path strings.Builder
	const width = chartWidth / wire.MinutesKept
	for _, m := range list {
		// Minutes without the dataplane have no entry: they leave a gap.
		x := chartWidth - width*(list[len(list)-1].At.Sub(m.At).Minutes()+1)
		if m.N > 0 && x >= 0 {
			fmt.Fprintf(&path, "M%.1f %.1fv%.1fh%.1fv%.1fz", x, chartHeight, -chartHeight*float64(m.N)/float64(top), width*0.8, chartHeight*float64(m.N)/float64(top))
		}
	}
	if n := len(list); n > 0 {
		b.Now = count(list[n-1].N)
	}
	b.Path = path.String()
	return b
}

// curve draws one line; where nothing is known it is broken.
func curve(h []wire.Sample, top float64, of func(wire.Sample) float64) string {
	var b strings.Builder
	move := "M"
	for i, s := range h {
		if !s.Known {
			move = "M"
			continue
		}
		x := chartWidth * float64(wire.HistoryLength-len(h)+i) / (wire.HistoryLength - 1)
		fmt.Fprintf(&b, "%s%.1f %.1f", move, x, chartHeight*(1-of(s)/top))
		move = "L"
	}
	return b.String()
}

// Ports returns both ports, for the table.
func (p picture) Ports() []portView { return []portView{p.A, p.B} }
