package web

import (
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
	p.Chart = drawRates(d.History)
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

// Ports returns both ports, for the table.
func (p picture) Ports() []portView { return []portView{p.A, p.B} }
