package web

import (
	"net/http"

	"wirepatch/board/settings"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// How much the overview lists.
const (
	shownCorrections  = 30
	latestCorrections = 6 // of them, open to the eye
	shownEvents       = 40
)

// overview is what the page shows: text and numbers, ready to print.
type overview struct {
	Steps       []firstStep
	Now         moment
	Hostname    string
	Alerts      []alert
	Picture     picture
	Sessions    []figure
	Services    []serviceRow
	Definitions []definitionRow // that do something, or should
	Off         string          // how many do not; "" where none is off
	Corrections correctionList
	Minutes     chart
	Events      []eventRow
	Box         boxView
}

type figure struct{ Label, Value, Hint string }

func (s *Site) overview(w http.ResponseWriter, _ *http.Request, v visit) {
	o := s.lookAround()
	o.Steps = s.firstSteps(len(o.Services))
	s.show(w, v, http.StatusOK, "overview", "Overview", o)
}

// live answers with the parts of the overview that change.
func (s *Site) live(w http.ResponseWriter, _ *http.Request, _ visit) {
	s.render(w, http.StatusOK, "live", s.lookAround())
}

func (s *Site) lookAround() overview {
	st := s.Wire.State()
	set, setErr := s.readSettings()
	o := overview{
		Now:         at(st.Time),
		Picture:     drawWire(st.Dataplane),
		Sessions:    sessionFigures(st.Dataplane),
		Services:    serviceRows(st.Dataplane, set),
		Minutes:     drawMinutes(st.Dataplane.Minutes),
		Corrections: corrections(s.Wire.Corrections(shownCorrections)),
		Events:      eventRows(s.Wire.Events(shownEvents)),
		Box:         s.boxView(st),
	}
	o.Definitions, o.Off = definitionsAtWork(st.Dataplane)
	if st.Box != nil {
		o.Hostname = visible.Line(st.Box.Hostname)
	}
	o.Alerts = append(append(alerts(st, setErr), s.storeAlerts()...), s.certificateAlerts()...)
	o.Alerts = append(o.Alerts, s.cycleAlerts()...)
	return o
}

func (s *Site) readSettings() (*settings.Settings, error) {
	if s.Config.Settings != "" {
		return settings.Read(s.Config.Settings)
	}
	return settings.Load()
}

func sessionFigures(d wire.Dataplane) []figure {
	if d.Status == nil {
		return nil
	}
	n := d.Status.Sessions
	return []figure{
		{"Open sessions", count(n.Open), "sessions of protected services right now"},
		{"Sessions in all", count(n.Total), "sessions seen by this dataplane process"},
		{"Corrected sessions", count(n.Edited), "sessions in which bytes were changed"},
		{"Corrections", count(d.Status.Corrections), "changes made, all sessions together"},
		{"Passed uninspected", count(n.Passed), "sessions let through uninspected, by policy"},
		{"Picked up midway", count(n.PickedUp), "sessions first seen in the middle"},
		{"Reset by us", count(n.Reset + n.Lost), "sessions that Wirepatch ended"},
		{"Held right now", byteSize(n.HeldBytes), "bytes waiting for a decision"},
		{"In the engine", count(n.Engine) + " of " + count(n.EngineRoom), "sessions that the kernel does not carry by itself, and room for them in the memory"},
		{"Short of room", count(n.Crowded), "sessions that met their service's limit because the memory was full"},
	}
}
