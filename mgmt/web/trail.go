package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/visible"
)

// shownRecords is how many records of the audit log one page shows.
const shownRecords = 100

// trail is a page of the audit log.
type trail struct {
	Head    string
	Trouble string
	Rows    []trailRow
	First   uint64 // the oldest that is kept; 0: all are
	Older   uint64 // number to go on below; 0: that was all
}

type trailRow struct {
	Seq                                     uint64
	Time                                    moment
	Who, Role, From, Action, Object, Detail string
	Outcome, Class                          string
	Hash                                    string
}

func (s *Site) auditPage(w http.ResponseWriter, r *http.Request, v visit) {
	before, _ := number(r, "before", 0) // nonsense shows the newest
	t := trail{Trouble: s.Audit.Trouble()}
	head, err := s.Audit.Head()
	if err == nil {
		t.Head = head.String()
	}
	list, err := s.Audit.Last(before, shownRecords)
	if err != nil {
		t.Trouble = err.Error()
	}
	for _, rec := range list {
		t.Rows = append(t.Rows, trailRowOf(rec))
	}
	if first, err := s.Audit.First(); err == nil && first > 1 {
		t.First = first
	}
	if len(list) == shownRecords {
		t.Older = list[len(list)-1].Seq
	}
	s.show(w, v, http.StatusOK, "trail", "Audit", t)
}

func trailRowOf(rec audit.Record) trailRow {
	e, err := rec.Entry()
	if err != nil {
		e.Action, e.Detail = "unreadable", err.Error()
	}
	row := trailRow{rec.Seq, at(e.Time), visible.Line(e.Who), e.Role, visible.Line(e.From), visible.Line(e.Action), visible.Line(e.Object), visible.Line(e.Detail), e.Outcome, "good", rec.Hash}
	if e.Outcome != outcomeDone {
		row.Class = "warn"
	}
	return row
}

// maxAudit bounds one answer to GET /api/v1/audit.
const maxAudit = 1000

// apiAudit answers with the records above ?since=, one a line, as the command
// that verifies reads them.
func (s *Site) apiAudit(w http.ResponseWriter, r *http.Request, _ visit) {
	since, err := number(r, "since", 0)
	if err != nil {
		writeError(w, http.StatusBadRequest, "since must be a whole number, as /api/v1/audit?since=0")
		return
	}
	list, err := s.Audit.Since(since, maxAudit)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	enc := json.NewEncoder(w)
	for _, rec := range list {
		enc.Encode(rec) // an error is a reader that has gone
	}
}

func number(r *http.Request, key string, def uint64) (uint64, error) {
	v := r.URL.Query().Get(key)
	if v == "" {
		return def, nil
	}
	return strconv.ParseUint(v, 10, 64)
}
