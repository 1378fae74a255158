package web

import (
	"fmt"
	"time"

	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// boxView is the box itself.
type boxView struct {
	Facts     []figure
	Load      []gauge
	Processes []processRow
	Log       []logRow
}

// gauge is a share of something.
type gauge struct {
	Label, Text string
	Value       string // 0 to 1, for the meter
}

type processRow struct {
	Name, State, Class string
	PID                int
	Started            moment
	Restarts           int
	LastExit           string
	Memory             string // "" unknown
}

type logRow struct {
	Time moment
	Text string
}

func (s *Site) boxView(st wire.State) boxView {
	f := s.System.Figures()
	v := boxView{
		Load: []gauge{
			{"Processor", fmt.Sprintf("%s of %d", percent(f.CPUBusy), f.CPUs), fmt.Sprintf("%.3f", f.CPUBusy)},
			share("Memory", f.MemTotal-min(f.MemTotal, f.MemAvailable), f.MemTotal),
			share("Data", f.DataTotal-min(f.DataTotal, f.DataFree), f.DataTotal),
		},
	}
	load := fmt.Sprintf("%.2f, %.2f, %.2f", f.Load[0], f.Load[1], f.Load[2])
	if b := st.Box; b != nil {
		v.Facts = []figure{
			{"Firmware", visible.Line(b.Version), ""},
			{"Board", visible.Line(b.Board), ""},
			{"Management port", managementText(st), ""},
			{"Settings kept on", visible.Line(b.Data), ""},
		}
		for _, p := range b.Processes {
			row := processRow{visible.Line(p.Name), visible.Line(p.State), "warn", p.PID, at(p.Started), p.Restarts, visible.Line(p.LastExit), ""}
			if p.State == "running" {
				row.Class = "good"
			}
			if m := s.System.Resident(p.PID); p.PID > 0 && m > 0 {
				row.Memory = byteSize(m)
			}
			v.Processes = append(v.Processes, row)
		}
		for i := len(b.Log) - 1; i >= 0 && len(v.Log) < shownEvents; i-- {
			v.Log = append(v.Log, logRow{at(b.Log[i].Time), visible.Line(withoutSecrets(b.Log[i].Text))})
		}
	}
	v.Facts = append(v.Facts,
		figure{"Running for", span(time.Duration(f.Uptime) * time.Second), ""},
		figure{"Load (1, 5, 15 min)", load, ""},
		figure{"Certificate SHA-256", s.Certs.Current().Fingerprint, ""})
	if d := st.Dataplane.Status; d != nil {
		v.Facts = append(v.Facts, figure{"Dataplane", visible.Line(d.Version) + ", process since " + at(d.Started).Text, ""})
	}
	return v
}

func share(label string, used, total uint64) gauge {
	if total == 0 {
		return gauge{label, "unknown", "0"}
	}
	return gauge{label, byteSize(used) + " of " + byteSize(total), fmt.Sprintf("%.3f", float64(used)/float64(total))}
}

func managementText(st wire.State) string {
	m := st.Box.Management
	address := visible.Line(m.Address)
	if address == "" {
		address = "no address yet"
	}
	link := "link"
	if !m.Up {
		link = "no link"
	}
	return fmt.Sprintf("%s, %s by %s, %s", visible.Line(m.Interface), address, visible.Line(m.Mode), link)
}
