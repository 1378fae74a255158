package web

import (
	"encoding/json"
	"strings"
	"testing"

	"wirepatch/mgmt/report"
)

// A report is made from what the box knows, in each form, kept as it was, and
// holds no markup of anybody's.
func TestReports(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.corrections(3)
	l.upload("operator", "/servers/csv", "address,name,group,product,version\n10.77.0.2,portal <script>alert(1)</script>,web,gin,1.8.2\n10.77.0.9,old portal,web,gin,1.8.2\n10.77.0.10,new portal,web,gin,1.9.1\n")
	page := l.page("auditor", "/reports/now?kind=compliance&cve=CVE-2023-26125&from=2026-11-01&to=2026-11-30")
	for _, want := range []string{"Servers without the fix", "10.77.0.9 old portal", "Servers with the fix", "10.77.0.10 new portal", "Compensating controls", "&lt;script&gt;", "Head of the audit log"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "Keep it") {
		t.Error("the auditor's page has a server's name as markup, or a button that he may not use")
	}
	if w := l.post("operator", "/reports/keep", "kind", "effect", "from", "2026-11-01", "to", "2026-11-30"); w.Code != 303 || w.Header().Get("Location") != "/reports/kept/1" {
		t.Fatalf("keep: %d %s", w.Code, w.Body)
	}
	before := l.page("auditor", "/reports/kept/1/json")
	l.corrections(2)
	if l.page("auditor", "/reports/kept/1/json") != before {
		t.Error("what is kept has changed")
	}
	var r report.Report
	l.must(json.Unmarshal([]byte(before), &r))
	if r.Kind != report.Effect || !strings.Contains(r.Sections[0].Text, "3 corrections in all") {
		t.Errorf("kept: %+v", r)
	}
	if pdf := l.page("auditor", "/reports/kept/1/pdf"); !strings.HasPrefix(pdf, "%PDF-1.") {
		t.Errorf("PDF: %.20q", pdf)
	}
	if text := l.page("auditor", "/reports/now/csv?kind=exposure"); !strings.Contains(text, "CVE-2023-26125") {
		t.Errorf("CSV: %s", text)
	}
	c, _ := l.sessionOf("auditor")
	for path, want := range map[string]int{"/reports/now?kind=x": 422, "/reports/now?from=x": 422, "/reports/now?from=2026-11-02&to=2026-11-01": 422, "/reports/kept/99": 404, "/reports/kept/x": 404, "/reports/kept/1/exe": 404} {
		if got := l.do("GET", path, "", with(c)).Code; got != want {
			t.Errorf("GET %s: %d; want %d", path, got, want)
		}
	}
	if w := l.post("admin", "/reports/schedules/add", "name", "monthly", "kind", "exposure", "every", "month", "target", "https://siem.example/", "secret", "hunter2"); w.Code != 303 {
		t.Errorf("schedule: %d %s", w.Code, w.Body)
	}
	if page := l.page("auditor", "/reports") + l.page("auditor", "/api/v1/reports"); !strings.Contains(page, "siem.example") || strings.Contains(page, "hunter2") {
		t.Error("the schedule is not listed, or with its secret")
	}
}
