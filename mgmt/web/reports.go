package web

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/visible"
)

// reportList is the page of reports.
type reportList struct {
	Problem   string
	Kinds     []kindRow
	From, To  string // of the form
	Kept      []keptRow
	Schedules []scheduleRow
	Periods   []string
}

type kindRow struct{ Kind, Text string }

// kindTexts say what a report tells.
var kindTexts = map[report.Kind]string{
	report.Exposure:   "what is open, since when, and what there is to do",
	report.Compliance: "is what should be patched really patched: every server without a given fix, every version of a product",
	report.Effect:     "what the inline patches corrected, and for how long what was open",
	report.Changes:    "who changed what, by whose leave, with what outcome",
}

type keptRow struct {
	ID                 int64
	Title, Period, By  string
	Made, Delivered    moment
	Target, Error, Sum string
	Waits              bool
}

type scheduleRow struct {
	Name, Every, Kind, About, Target, Error string
	Next                                    moment
}

func (s *Site) reportsPage(w http.ResponseWriter, _ *http.Request, v visit) {
	now := s.Now().UTC()
	l := reportList{From: now.AddDate(0, -1, 0).Format(time.DateOnly), To: now.AddDate(0, 0, 1).Format(time.DateOnly), Periods: report.Periods}
	for _, k := range report.Kinds {
		l.Kinds = append(l.Kinds, kindRow{string(k), kindTexts[k]})
	}
	kept, err := s.Reports.List()
	if err != nil {
		l.Problem = visible.Line(err.Error())
	}
	for _, k := range kept {
		l.Kept = append(l.Kept, keptRow{k.ID, k.Title, k.From.Format(time.DateOnly) + " to " + k.To.Format(time.DateOnly), visible.Line(k.By), at(k.Made), at(k.Delivered), visible.Line(withoutSecrets(k.Target)), visible.Line(k.Error), k.Sum, !k.Again.IsZero()})
	}
	schedules, err := s.Reports.Schedules()
	if err != nil {
		l.Problem = visible.Line(err.Error())
	}
	for _, c := range schedules {
		l.Schedules = append(l.Schedules, scheduleRow{visible.Line(c.Name), c.Every, string(c.Kind), visible.Line(strings.TrimSpace(c.CVE + " " + c.Product + " " + c.Group)), visible.Line(withoutSecrets(c.Target)), visible.Line(c.Error), at(c.Next)})
	}
	s.show(w, v, http.StatusOK, "reports", "Reports", l)
}

// MakeReport makes a report of what the box knows now.
func (s *Site) MakeReport(ctx context.Context, q report.Question) (*report.Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	k := report.Known{Host: s.hostname(), Now: s.Now()}
	if b := s.Wire.State().Box; b != nil {
		k.Firmware = visible.Line(b.Version)
	}
	var err error
	if k.View, err = s.Exposures.View(); err != nil {
		return nil, err
	}
	if q.Kind == report.Effect {
		if k.History, err = s.Inventory.History(q.To); err != nil {
			return nil, err
		}
	}
	if k.Tallies, err = s.Events.Tallies(ctx, q.From, q.To.Add(-time.Second)); err != nil {
		return nil, err
	}
	if k.Hours, err = s.Events.Hours(ctx, q.From, q.To.Add(-time.Second)); err != nil {
		return nil, err
	}
	if q.Kind == report.Changes {
		if k.Changes, err = s.Changes.List(reportedChanges); err != nil {
			return nil, err
		}
	}
	if k.Approvals, err = s.Changes.Approvals(); err != nil {
		return nil, err
	}
	head, err := s.Audit.Head()
	if err != nil {
		return nil, err
	}
	k.Head = head.String()
	return report.Make(q, k)
}

// reportedChanges bounds the changes of one report.
const reportedChanges = 20_000

// questionOf reads a question. Its end is not in it: of a day, that is the day's beginning.
func (s *Site) questionOf(in url.Values) (q report.Question, err error) {
	q = report.Question{Kind: report.Kind(in.Get("kind")), CVE: strings.TrimSpace(in.Get("cve")), Product: strings.TrimSpace(in.Get("product")), Group: strings.TrimSpace(in.Get("group"))}
	if q.Kind == "" {
		q.Kind = report.Exposure
	}
	if q.From, err = parseTime(in.Get("from")); err != nil {
		return q, faulty("from: %v", err)
	}
	if q.To, err = parseTime(in.Get("to")); err != nil {
		return q, faulty("to: %v", err)
	}
	if q.To.IsZero() {
		q.To = s.Now().UTC()
	}
	if q.From.IsZero() {
		q.From = q.To.AddDate(0, -1, 0)
	}
	return q, q.Check()
}

// reportPage shows a report that is made now.
func (s *Site) reportPage(w http.ResponseWriter, r *http.Request, v visit) {
	q, err := s.questionOf(r.URL.Query())
	var made *report.Report
	if err == nil {
		made, err = s.MakeReport(r.Context(), q)
	}
	s.answerReport(w, r, v, made, err, "/reports/now", 0)
}

func (s *Site) keptReportPage(w http.ResponseWriter, r *http.Request, v visit) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	var kept *report.Report
	if err == nil {
		kept, err = s.Reports.Get(id)
	}
	if err != nil {
		s.fail(w, r, v, http.StatusNotFound, "No such report", "No report of this number is kept.", "Those that are kept are listed on the page Reports.")
		return
	}
	s.answerReport(w, r, v, kept, nil, fmt.Sprintf("/reports/kept/%d", id), id)
}

// reportView is a report as a page.
type reportView struct {
	*report.Report
	Sections []sectionView
	Made     moment
	Period   string
	Path     string // of this report in other forms
	Query    string
	ID       int64 // 0: it is not kept
	Question url.Values
}

// answerReport writes a report in the form that the address asks for.
func (s *Site) answerReport(w http.ResponseWriter, r *http.Request, v visit, made *report.Report, err error, path string, id int64) {
	if err != nil {
		s.fail(w, r, v, statusOf(err), "No report", sentence(err), "Go back and correct it.")
		return
	}
	name := fmt.Sprintf("wirepatch-%s-%s", made.Kind, made.Made.Format("20060102-150405"))
	switch form := r.PathValue("form"); form {
	case "":
		s.show(w, v, http.StatusOK, "report", made.Title, reportView{made, sectionsOf(made), at(made.Made), made.Period(), path, r.URL.RawQuery, id, r.URL.Query()})
	case "csv":
		attach(w, name+".csv")
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_ = made.CSV(w) // an error is a reader that has gone
	case "pdf":
		pdf, err := made.PDF()
		if err != nil {
			s.fail(w, r, v, http.StatusInternalServerError, "No report", sentence(err), "Take the CSV.")
			return
		}
		attach(w, name+".pdf")
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = w.Write(pdf) // the same
	case "json":
		attach(w, name+".json")
		writeJSON(w, http.StatusOK, made)
	default:
		s.noSuchPage(w, r, v)
	}
}

// shownReport bounds the rows of a section on a page; the other forms have all.
const shownReport = 1000

// sectionView is a section for the eye. Its rows are written out here and not by the
// template, which would take most of a page's time for thousands of cells.
type sectionView struct {
	Chart       *chart // of a table over time
	Title, Text string
	Columns     []string
	Rows        int
	Body        template.HTML
}

func sectionsOf(r *report.Report) (all []sectionView) {
	for i, sec := range r.Sections {
		v := sectionView{Chart: drawSection(fmt.Sprintf("chart-%d", i), sec), Title: sec.Title, Text: sec.Text, Columns: sec.Columns, Rows: len(sec.Rows)}
		rows := sec.Rows
		if len(rows) > shownReport {
			v.Text += fmt.Sprintf(" %d of %d rows; the CSV has all.", shownReport, len(rows))
			rows = rows[:shownReport]
		}
		var b strings.Builder
		for _, row := range rows {
			b.WriteString("<tr>")
			for _, cell := range row {
				b.WriteString("<td>")
				writeCell(&b, cell)
				b.WriteString("</td>")
			}
			b.WriteString("</tr>\n")
		}
		v.Body = template.HTML(b.String()) // each cell of it is escaped
		all = append(all, v)
	}
	return all
}

// leadsOn are cells that have a page of their own.
var leadsOn = []struct {
	begins string
	form   *regexp.Regexp
	page   string
}{
	{"CVE-", regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,12}$`), "/vulnerabilities/"},
	{"WP-", regexp.MustCompile(`^WP-[A-Za-z0-9-]{1,60}$`), "/patches/"},
}

// writeCell writes text from anywhere as text only.
func writeCell(b *strings.Builder, cell string) {
	for _, l := range leadsOn {
		if strings.HasPrefix(cell, l.begins) && l.form.MatchString(cell) {
			b.WriteString(`<a class="nowrap" href="` + l.page + cell + `">` + cell + "</a>")
			return
		}
	}
	b.WriteString(template.HTMLEscapeString(visible.Line(cell)))
}

func (s *Site) apiReport(w http.ResponseWriter, r *http.Request, _ visit) {
	q, err := s.questionOf(r.URL.Query())
	var made *report.Report
	if err == nil {
		made, err = s.MakeReport(r.Context(), q)
	}
	if err != nil {
		writeError(w, statusOf(err), err.Error())
		return
	}
	writeJSON(w, http.StatusOK, made)
}

// ReportsInfo is the answer to GET /api/v1/reports.
type ReportsInfo struct {
	Kept      []report.Kept     `json:"kept"`
	Schedules []report.Schedule `json:"schedules"`
}

func (s *Site) apiReports(w http.ResponseWriter, _ *http.Request, _ visit) {
	kept, err1 := s.Reports.List()
	schedules, err2 := s.Reports.Schedules()
	for _, err := range []error{err1, err2} {
		if err != nil {
			writeError(w, http.StatusInternalServerError, err.Error())
			return
		}
	}
	for i := range kept {
		kept[i].Target = withoutSecrets(kept[i].Target)
	}
	for i := range schedules {
		schedules[i].Target = withoutSecrets(schedules[i].Target)
	}
	writeJSON(w, http.StatusOK, ReportsInfo{kept, schedules})
}

func (s *Site) keepReport(r *http.Request, v visit, in url.Values) (done, error) {
	q, err := s.questionOf(in)
	if err != nil {
		return done{}, err
	}
	made, err := s.MakeReport(r.Context(), q)
	if err != nil {
		return done{}, err
	}
	k, err := s.Reports.Keep(made, v.who)
	return done{Object: fmt.Sprintf("report %d", k.ID), Detail: fmt.Sprintf("%s, %s, SHA-256 %s", made.Title, made.Period(), k.Sum), Back: fmt.Sprintf("/reports/kept/%d", k.ID), Result: k}, err
}

func (s *Site) addSchedule(_ *http.Request, _ visit, in url.Values) (done, error) {
	c := report.Schedule{Name: in.Get("name"), Every: in.Get("every"), Kind: report.Kind(in.Get("kind")), CVE: in.Get("cve"), Product: in.Get("product"), Group: in.Get("group"), Target: in.Get("target"), CA: in.Get("ca"), Secret: in.Get("secret")}
	return done{Object: visible.Line(c.Name), Detail: visible.Line(fmt.Sprintf("%s, each %s %s", c.Kind, c.Every, withoutSecrets(c.Target)))}, s.Reports.Put(c)
}

func (s *Site) removeSchedule(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Reports.Remove(in.Get("name"))
}

// exposureCSAF is the exposures as a CSAF VEX document.
func (s *Site) exposureCSAF(w http.ResponseWriter, r *http.Request, v visit) {
	list, err := s.filtered(r)
	if err != nil {
		s.fail(w, r, v, http.StatusInternalServerError, "Not to be had", visible.Line(err.Error())+".", "Try again.")
		return
	}
	d := inventory.NewCSAF(list, s.hostname(), s.Now())
	attach(w, inventory.FileName(d.Document.Tracking.ID))
	writeJSON(w, http.StatusOK, d)
}
