package web

import (
	"net/http"
	"net/url"

	"wirepatch/mgmt/out"
	"wirepatch/mgmt/visible"
)

// outputList is the page of what goes out to other systems.
type outputList struct{ Rows []outputRow }

type outputRow struct {
	Name, Kind, Target, Format string
	Waiting, Lost              string
	Error                      string
	Since                      moment
}

func (s *Site) outputsPage(w http.ResponseWriter, _ *http.Request, v visit) {
	var l outputList
	for _, o := range s.Outputs.Status() {
		l.Rows = append(l.Rows, outputRow{o.Name, o.Kind, visible.Line(o.Target), o.Format, count(o.Waiting), count(o.Lost), visible.Line(o.Error), at(o.Since)})
	}
	s.show(w, v, http.StatusOK, "outputs", "Outputs", l)
}

func (s *Site) apiOutputs(w http.ResponseWriter, _ *http.Request, _ visit) {
	writeJSON(w, http.StatusOK, s.Outputs.Status())
}

func (s *Site) addOutput(_ *http.Request, _ visit, in url.Values) (done, error) {
	o := out.Output{Name: in.Get("name"), Kind: in.Get("kind"), Target: in.Get("target"), Format: in.Get("format"), CA: in.Get("ca"), Secret: in.Get("secret")}
	return done{Object: visible.Line(o.Name), Detail: visible.Line(o.Kind + " to " + o.Target)}, s.Outputs.Add(o)
}

func (s *Site) removeOutput(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Outputs.Remove(in.Get("name"))
}
