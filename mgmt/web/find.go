package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wirepatch/mgmt/events"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// perPage is how many corrections one page of a search shows.
const perPage = 25

// finding is the page that searches what was kept.
type finding struct {
	Filter      filter
	Problem     string
	Corrections []correction
	Events      []eventRow
	More        string // address of the next page; "" when all was seen
	Unseen      bool
	Follow      bool   // it is kept up to date
	Live, Past  string // addresses of the page that is, and that is not
	Fragment    string // what is asked again and again
	Kept        string // how much there is to search
	Trouble     string
	Definitions []string
	Services    []string
}

// filter is the search as it was typed.
type filter struct {
	Show, Definition, Service, Mode, Client, Words, From, To string
}

// Query makes the filter a question to the store.
func (f filter) query() (q events.Query, err error) {
	q = events.Query{Corrections: f.Show != "events", Others: f.Show == "events", Definition: f.Definition, Service: f.Service, Mode: f.Mode, Client: f.Client, Words: f.Words}
	if q.From, err = parseTime(f.From); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	if q.To, err = parseTime(f.To); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	return q, nil
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("got %.40q, want a time in UTC, as 2026-11-22T10:00", s)
}

func filterOf(q url.Values) filter {
	return filter{q.Get("show"), q.Get("definition"), q.Get("service"), q.Get("mode"), q.Get("client"), q.Get("q"), q.Get("from"), q.Get("to")}
}

// visible is the filter as it can be shown again.
func (f filter) visible() filter {
	for _, v := range []*string{&f.Show, &f.Definition, &f.Service, &f.Mode, &f.Client, &f.Words, &f.From, &f.To} {
		*v = visible.Line(*v)
	}
	return f
}

func (s *Site) findPage(w http.ResponseWriter, r *http.Request, v visit) {
	s.show(w, v, http.StatusOK, "find", "Corrections", s.finding(r))
}

// findLive answers with what a page that follows exchanges.
func (s *Site) findLive(w http.ResponseWriter, r *http.Request, _ visit) {
	s.render(w, http.StatusOK, "found", s.finding(r))
}

func (s *Site) finding(r *http.Request) finding {
	in := r.URL.Query()
	f := finding{Filter: filterOf(in).visible()}
	q, err := filterOf(in).query()
	if err != nil {
		f.Problem = err.Error()
	} else if err = s.find(r, &f, q, in); err != nil {
		f.Problem = err.Error()
	}
	h := s.Events.Health()
	f.Kept, f.Trouble = fmt.Sprintf("%s records, %s", count(h.Records), byteSize(uint64(h.Bytes))), visible.Line(h.Trouble)
	if st := s.Wire.State().Dataplane.Status; st != nil {
		for _, d := range st.Definitions {
			f.Definitions = append(f.Definitions, visible.Line(d.ID))
		}
		for _, d := range st.Services {
			f.Services = append(f.Services, visible.Line(d.Name))
		}
	}
	f.Follow = in.Get("follow") != "" && in.Get("before") == ""
	in.Del("before")
	in.Del("follow")
	f.Past = "/corrections?" + in.Encode()
	in.Set("follow", "on")
	f.Live, f.Fragment = "/corrections?"+in.Encode(), "/corrections/live?"+in.Encode()
	return f
}

func (s *Site) find(r *http.Request, f *finding, q events.Query, in url.Values) error {
	var err error
	if q.Before, err = number(r, "before", 0); err != nil {
		return faulty("before must be a number")
	}
	q.Limit = perPage
	found, err := s.Events.Search(r.Context(), q)
	if err != nil {
		return err
	}
	for _, rec := range found.Records {
		if rec.IsCorrection() {
			f.Corrections = append(f.Corrections, viewCorrection(rec))
		}
	}
	if q.Others {
		f.Events = eventRows(found.Records)
	}
	f.Unseen = found.Unseen
	if found.Next > 0 {
		in.Set("before", strconv.FormatUint(found.Next, 10))
		f.More = "/corrections?" + in.Encode()
	}
	return nil
}

// record returns the record that the address names, or answers that there is none.
func (s *Site) record(w http.ResponseWriter, r *http.Request, v visit) (wire.Record, bool) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	var rec wire.Record
	ok := false
	if err == nil {
		rec, ok, err = s.Events.Get(r.Context(), seq)
	}
	if err != nil || !ok || !rec.IsCorrection() {
		s.fail(w, r, v, http.StatusNotFound, "No such correction", "There is no correction of this number.", "It may be older than what is kept.")
		return rec, false
	}
	return rec, true
}

func (s *Site) recordPage(w http.ResponseWriter, r *http.Request, v visit) {
	if rec, ok := s.record(w, r, v); ok {
		s.show(w, v, http.StatusOK, "record", fmt.Sprintf("Correction %d", rec.Seq), []correction{viewCorrection(rec)})
	}
}

func (s *Site) recordJSON(w http.ResponseWriter, r *http.Request, v visit) {
	if rec, ok := s.record(w, r, v); ok {
		attach(w, fmt.Sprintf("correction-%d.json", rec.Seq))
		writeJSON(w, http.StatusOK, rec)
	}
}

func (s *Site) recordPcap(w http.ResponseWriter, r *http.Request, v visit) {
	if rec, ok := s.record(w, r, v); ok {
		attach(w, fmt.Sprintf("correction-%d.pcap", rec.Seq))
		w.Header().Set("Content-Type", "application/vnd.tcpdump.pcap")
		w.Write(evidencePcap(rec))
	}
}

// attach has the browser keep an answer under a name of ours.
func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

// apiEvents answers with the records above ?since=, oldest first, at most
// ?limit=; the filters of the page apply.
func (s *Site) apiEvents(w http.ResponseWriter, r *http.Request, _ visit) {
	since, err1 := number(r, "since", 0)
	limit, err2 := number(r, "limit", maxEvents)
	if err1 != nil || err2 != nil {
		writeError(w, http.StatusBadRequest, "since and limit must be whole numbers, as /api/v1/events?since=0&limit=100")
		return
	}
	f := filterOf(r.URL.Query())
	q, err := f.query()
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	q.Corrections = f.Show == "corrections"
	q.After, q.OldestFirst, q.Limit = since, true, int(max(1, min(limit, maxEvents)))
	found, err := s.Events.Search(r.Context(), q)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	if found.Records == nil {
		found.Records = []wire.Record{}
	}
	if found.Next == 0 && f == (filter{}) {
		found.Records = s.andLatest(found.Records, since, q.Limit)
	}
	if found.Next > 0 {
		w.Header().Set("Link", fmt.Sprintf(`<?since=%d>; rel="next"`, found.Next))
	}
	writeJSON(w, http.StatusOK, found.Records)
}

// andLatest adds what has been copied and is not on the disk yet.
func (s *Site) andLatest(kept []wire.Record, since uint64, limit int) []wire.Record {
	if n := len(kept); n > 0 {
		since = kept[n-1].Seq
	}
	return append(kept, s.Wire.Since(since, limit-len(kept))...)
}

// maxEvents bounds one answer to GET /api/v1/events.
const maxEvents = 200

// apiTallies counts the corrections of a period: by default, of all time.
func (s *Site) apiTallies(w http.ResponseWriter, r *http.Request, _ visit) {
	from, err1 := parseTime(r.URL.Query().Get("from"))
	to, err2 := parseTime(r.URL.Query().Get("to"))
	if err1 != nil || err2 != nil {
		writeError(w, http.StatusBadRequest, "from and to must be times in UTC, as ?from=2026-11-22T10:00")
		return
	}
	if to.IsZero() {
		to = time.Unix(1<<40, 0)
	}
	list, err := s.Events.Tallies(r.Context(), from, to)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	if list == nil {
		list = []events.Tally{}
	}
	writeJSON(w, http.StatusOK, list)
}

// countTallies sums the corrections of all time by definition, service ("" for
// all) and mode.
func (s *Site) countTallies(r *http.Request) map[[3]string]uint64 {
	sums := map[[3]string]uint64{}
	for _, t := range s.allTallies(r.Context()) {
		sums[[3]string{t.Definition, t.Service, t.Mode}] += t.Count
		sums[[3]string{t.Definition, "", t.Mode}] += t.Count
	}
	return sums
}

// allTallies counts the corrections of all time.
func (s *Site) allTallies(ctx context.Context) []events.Tally {
	list, err := s.Events.Tallies(ctx, time.Time{}, time.Unix(1<<40, 0))
	if err != nil {
		s.Log.Warn("corrections cannot be counted", "cause", err)
	}
	return list
}
