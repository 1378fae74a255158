package web

import (
	"errors"
	"net/http"
	"net/url"

	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/visible"
)

// freezeRow is a time in which nothing is to be changed.
type freezeRow struct {
	Name, Note string
	From, To   moment
	Now        bool
}

// freezeRows lists the freezes, and the one that holds now.
func (s *Site) freezeRows() (rows []freezeRow, now *freezeRow, err error) {
	all, err1 := s.Cycles.Freezes()
	holds, err2 := s.Cycles.Frozen()
	for _, f := range all {
		row := freezeRow{visible.Line(f.Name), visible.Line(f.Note), at(f.From), at(f.To), holds != nil && f.Name == holds.Name}
		if row.Now {
			now = &row
		}
		rows = append(rows, row)
	}
	return rows, now, errors.Join(err1, err2)
}

func (s *Site) apiFreezes(w http.ResponseWriter, _ *http.Request, _ visit) {
	all, err := s.Cycles.Freezes()
	respond(w, all, err)
}

func (s *Site) addFreeze(_ *http.Request, _ visit, in url.Values) (done, error) {
	from, err1 := parseTime(in.Get("from"))
	to, err2 := parseTime(in.Get("to"))
	if err := errors.Join(err1, err2); err != nil {
		return done{}, faulty("%v", err)
	}
	f := cycle.Freeze{Name: in.Get("name"), From: from, To: to, Note: in.Get("note")}
	return done{Object: visible.Line(f.Name), Detail: at(from).Text + " to " + at(to).Text}, s.Cycles.PutFreeze(f)
}

func (s *Site) removeFreeze(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Cycles.RemoveFreeze(in.Get("name"))
}

// Frozen is what the manager of changes asks.
func (s *Site) Frozen() (name string, err error) {
	f, err := s.Cycles.Frozen()
	if f == nil || err != nil {
		return "", err
	}
	return f.Name, nil
}
