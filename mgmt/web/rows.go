package web

import (
	"fmt"

	"wirepatch/board/settings"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

type serviceRow struct {
	Name, Address, Port, Protocol string
	Fail, Exceed                  string
	Sessions                      string // "" unknown
}

// serviceRows lists what the dataplane protects; while it has never answered,
// what the settings ask for.
func serviceRows(d wire.Dataplane, set *settings.Settings) []serviceRow {
	var rows []serviceRow
	if d.Status != nil {
		for _, v := range d.Status.Services {
			rows = append(rows, serviceRow{visible.Line(v.Name), visible.Line(v.Address), portText(v.Port, v.Over), visible.Line(v.Protocol),
				visible.Line(v.Fail), visible.Line(v.Exceed), count(v.Sessions)})
		}
		return rows
	}
	if set == nil {
		return nil
	}
	for _, v := range set.Services {
		address := v.Address.String()
		if v.Address.IsSingleIP() {
			address = v.Address.Addr().String()
		}
		rows = append(rows, serviceRow{visible.Line(v.Name), address, portText(int(v.Port), v.Over), v.Protocol, v.Fail, v.Exceed, ""})
	}
	return rows
}

// portText names the transports of a service that does not go over TCP alone.
func portText(port int, over []settings.Transport) string {
	text := fmt.Sprint(port)
	if len(over) == 0 || len(over) == 1 && over[0] == settings.TCP {
		return text
	}
	for i, t := range over {
		if i == 0 {
			text += " "
		} else {
			text += ", "
		}
		text += visible.Line(string(t))
	}
	return text
}

type definitionRow struct {
	ID, Title       string
	Revision        int
	Vulnerabilities []string
	Mode            string // "correct", "shadow", "off", "set aside"
	Class           string // the same, as a style
	Error           string
	Corrections     string
}

func definitionRows(d wire.Dataplane) []definitionRow {
	if d.Status == nil {
		return nil
	}
	var rows []definitionRow
	for _, v := range d.Status.Definitions {
		r := definitionRow{visible.Line(v.ID), visible.Line(v.Title), v.Revision, nil, visible.Line(v.Mode), "", visible.Line(v.Error), count(v.Corrections)}
		for _, cve := range v.Vulnerabilities {
			r.Vulnerabilities = append(r.Vulnerabilities, visible.Line(cve))
		}
		if v.Error != "" {
			r.Mode = "set aside"
		}
		r.Class = modeClass(r.Mode)
		rows = append(rows, r)
	}
	return rows
}

// definitionsAtWork leaves out those that are off everywhere: the page Inline
// patches has them.
func definitionsAtWork(d wire.Dataplane) (rows []definitionRow, off string) {
	n := uint64(0)
	for i, row := range definitionRows(d) {
		v := d.Status.Definitions[i]
		elsewhere := false
		for _, mode := range v.Services {
			elsewhere = elsewhere || mode != "off"
		}
		if v.Mode == "off" && !elsewhere && v.Error == "" && v.Corrections == 0 {
			n++
			continue
		}
		rows = append(rows, row)
	}
	if n > 0 {
		off = count(n)
	}
	return rows, off
}

func modeClass(mode string) string {
	switch mode {
	case "correct":
		return "good"
	case "shadow":
		return "warn"
	case "set aside":
		return "bad"
	}
	return "quiet"
}

type eventRow struct {
	Time              moment
	Kind, Class, Text string
	Service, From, To string
}

func eventRows(list []wire.Record) []eventRow {
	var rows []eventRow
	for _, r := range list {
		rows = append(rows, eventRow{
			Time: at(r.Time), Kind: visible.Line(r.Kind), Class: kindClass[r.Kind], Text: visible.Line(r.Text),
			Service: visible.Line(r.Service), From: visible.Line(r.Client), To: visible.Line(r.Server),
		})
	}
	return rows
}

var kindClass = map[string]string{"restart": "bad", "reset": "warn", "passed": "warn", "dropped": "warn", "definition": "warn", "start": "good"}
