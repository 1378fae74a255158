package web

import (
	"net/http"
	"strings"
	"testing"

	"wirepatch/mgmt/change"
)

// value is what a parameter of the running wire is in a service.
func (l *lab) value(definition, name, service string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.status.Definitions {
		for _, p := range d.Parameters {
			if d.ID == definition && p.Name == name {
				return p.In(service)
			}
		}
	}
	return "no such parameter"
}

// TestParametersByChange: a value is proposed, approved by another, in force and
// verified, undone; what the definition would not take is refused at once.
func TestParametersByChange(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.post("admin", "/settings/approvals", "approvals", "1")
	l.poller.Poll(t.Context())
	for _, bad := range [][]string{
		{"definition", "WP-2099-1", "name", "origins", "value", "x"},
		{"definition", "WP-2022-1996", "name", "origin", "value", "x"},
		{"definition", "WP-2023-26125", "name", "origins", "value", "x"},
		{"definition", "WP-2022-1996", "name", "most", "value", "many"},
		{"definition", "WP-2022-1996", "name", "strict", "value", "maybe"},
		{"definition", "WP-2022-1996", "name", "origins", "value", "https://a.example ; more"},
		{"definition", "WP-2022-1996", "name", "origins", "service", "nobody", "value", "x"},
		{"definition", "WP-2022-1996\n[x]", "name", "origins", "value", "x"},
	} {
		if w := l.post("operator", "/draft/parameter", bad...); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d; want refused", bad, w.Code)
		}
	}
	if d, err := l.changes.Draft(); d != nil || err != nil {
		t.Fatalf("after refusals %v is pending, %v", d, err)
	}
	const origins = "https://a.example, https://b.example:8443"
	for _, kv := range [][]string{{"name", "origins", "value", origins}, {"name", "origins", "service", "portal", "value", ""}, {"name", "most", "value", "7"}, {"name", "strict", "value", "yes"}} {
		w := l.post("operator", "/draft/parameter", append([]string{"definition", "WP-2022-1996"}, kv...)...)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/patches/WP-2022-1996" {
			t.Fatalf("%q: %d to %q %s", kv, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
	page := l.page("operator", "/patches/WP-2022-1996")
	for _, want := range []string{`value="` + origins + `"`, "Back to the default", "As for all", "go-restful</strong>", "AllowedDomains"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of the patch lacks %q", want)
		}
	}
	l.post("operator", "/changes/submit", "reason", "the owner's origins")
	if got := l.value("WP-2022-1996", "origins", ""); got != "" {
		t.Errorf("before approval the value is %q", got)
	}
	if w := l.post("approver", "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != http.StatusSeeOther {
		t.Fatalf("approve: %d %s", w.Code, w.Body)
	}
	if c := l.state(1); c.State != change.Done || !strings.HasPrefix(c.Applied.Note, "verified") {
		t.Errorf("the change is %s: %s", c.State, c.Applied.Note)
	}
	for _, tt := range [][3]string{{"origins", "", origins}, {"origins", "portal", ""}, {"most", "portal", "7"}, {"strict", "portal", "yes"}} {
		if got := l.value("WP-2022-1996", tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s in %q is %q; want %q", tt[0], tt[1], got, tt[2])
		}
	}
	if w := l.post("operator", "/changes/undo", "id", "1"); w.Code != http.StatusSeeOther {
		t.Fatalf("undo: %d %s", w.Code, w.Body)
	}
	if got := l.value("WP-2022-1996", "most", "portal"); got != "3" {
		t.Errorf("undone, the value is %q; want the default", got)
	}
	if c := l.state(1); c.State != change.Undone || !strings.HasPrefix(c.Undone.Note, "verified") {
		t.Errorf("the change is %s: %s", c.State, c.Undone.Note)
	}
}

// TestParametersByProgram: the API sets a value and takes it back.
func TestParametersByProgram(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.poller.Poll(t.Context())
	c, _ := l.session()
	send := func(body string) int { return l.do("POST", "/api/v1/draft/parameter", body, with(c)).Code }
	if code := send(`{"definition":"WP-2022-1996","name":"most","service":"portal","value":5}`); code != http.StatusOK {
		t.Fatalf("set: %d", code)
	}
	if d, err := l.changes.Draft(); err != nil || d == nil || !strings.Contains(d.Text, "set.most.portal = 5") {
		t.Errorf("the draft is %v, %v", d, err)
	}
	if code := send(`{"definition":"WP-2022-1996","name":"most","service":"portal","default":"yes"}`); code != http.StatusOK {
		t.Fatalf("take back: %d", code)
	}
	if d, err := l.changes.Draft(); err != nil || d != nil && strings.Contains(d.Text, "set.most") {
		t.Errorf("taken back, the draft is %v, %v", d, err)
	}
}

// TestProductOfService: definitions confined to a product go by what the owner
// says a service runs; who says nothing of it leaves it as it is.
func TestProductOfService(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	service := []string{"name", "portal", "address", "10.77.0.2", "port", "80", "protocol", "http", "fail", "open", "exceed", "reset"}
	l.post("admin", "/draft/service", append(service, "product", "go-restful, nginx")...)
	l.post("admin", "/changes/submit", "reason", "what it runs")
	if c := l.state(1); c.State != change.Done || !strings.HasPrefix(c.Applied.Note, "verified") {
		t.Fatalf("the change is %s: %s", c.State, c.Applied.Note)
	}
	l.post("admin", "/draft/service", append(service, "exceed", "pass")...)
	if page := l.page("admin", "/settings"); !strings.Contains(page, `name="product" value="go-restful, nginx"`) {
		t.Error("the page does not show what the service runs")
	}
}

// TestPatchesAreFound: the list shows those that have the words.
func TestPatchesAreFound(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.poller.Poll(t.Context())
	for words, want := range map[string]int{"": 4, "gin": 3, "GIN shadow": 1, "cve-2022-1996": 1, "nothing-of-this": 0} {
		page := l.page("admin", "/patches?q="+strings.ReplaceAll(words, " ", "+"))
		if got := strings.Count(page, `<th scope="row">`); got != want {
			t.Errorf("%q finds %d; want %d", words, got, want)
		}
	}
	c, _ := l.session()
	if w := l.do("GET", "/patches/WP-2099-1", "", with(c)); w.Code != http.StatusNotFound {
		t.Errorf("one that is not there: %d", w.Code)
	}
}

// TestOverviewListsWhatIsAtWork: what is off everywhere only counts there, unless it
// is on in one service, or was set aside.
func TestOverviewListsWhatIsAtWork(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	listed := func() (ids []string, off bool) {
		l.poller.Poll(t.Context())
		_, list, _ := strings.Cut(l.page("admin", "/"), `id="definitions"`)
		list, _, _ = strings.Cut(list, "</section>")
		for _, id := range []string{"WP-2023-26125", "WP-2023-29401", "WP-2022-1996", "WP-2025-24358"} {
			if strings.Contains(list, `href="/patches/`+id+`"`) {
				ids = append(ids, id)
			}
		}
		return ids, strings.Contains(list, "Off: 1 more.")
	}
	if ids, off := listed(); len(ids) != 3 || !off {
		t.Errorf("listed are %q, the rest is counted: %v", ids, off)
	}
	l.set(func() { l.status.Definitions[2].Services = map[string]string{"portal": "correct"} })
	if ids, off := listed(); len(ids) != 4 || off {
		t.Errorf("with one on in a service, listed are %q, others are counted: %v", ids, off)
	}
}
