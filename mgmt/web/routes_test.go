package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/auth"
)

// what a route answers, by who asks: while there is no user, a stranger, and
// each role. Forms come with the session's token, JSON is {}.
type answers struct {
	fresh, stranger, auditor, approver, operator, admin int
}

// Answers that many routes have in common.
var (
	openPage   = answers{303, 303, 200, 200, 200, 200}
	openData   = answers{403, 401, 200, 200, 200, 200}
	oversee    = answers{303, 303, 200, 403, 403, 200}
	overseeAPI = answers{403, 401, 200, 403, 403, 200}
	adminForm  = answers{303, 303, 403, 403, 403, 422} // 422: nothing was filled in
	editForm   = answers{303, 303, 403, 403, 422, 422}
	editAPI    = answers{403, 401, 403, 403, 422, 422}
	adminNone  = answers{303, 303, 403, 403, 403, 404} // 404: names nobody
	adminAPI   = answers{403, 401, 403, 403, 403, 422}
	adminNoAPI = answers{403, 401, 403, 403, 403, 404}
)

// Every route, by method and path, by every role. A route that is not in here
// fails the test.
var wantAnswers = map[string]answers{
	"GET /{$}":                    openPage,
	"GET /live":                   openData,
	"GET /corrections":            openPage,
	"GET /corrections/live":       openData,
	"GET /corrections/{seq}":      openPage,
	"GET /corrections/{seq}/json": openPage,
	"GET /corrections/{seq}/pcap": openPage,
	"GET /audit":                  oversee,
	"GET /users":                  oversee,
	"GET /servers":                openPage, "GET /vulnerabilities": openPage, "GET /vulnerabilities/{cve}": openPage, "GET /vulnerabilities.csv": openPage, "GET /vulnerabilities.vex.json": openPage,
	"GET /servers/{address}":         {303, 303, 404, 404, 404, 404}, // none of this address
	"GET /vulnerabilities.csaf.json": openPage, "GET /api/v1/csaf": openData, "GET /reports": openPage, "GET /api/v1/reports": openData,
	"GET /reports/now": openPage, "GET /reports/now/{form}": openPage, "GET /api/v1/report": openData, // of the last month
	"GET /reports/kept/{id}": openPage, "GET /reports/kept/{id}/{form}": openPage, "GET /api/v1/reports/{id}/{form}": openData,
	"POST /reports/keep": {303, 303, 403, 403, 303, 303}, "POST /api/v1/reports/keep": {403, 401, 403, 403, 200, 200},
	"POST /reports/schedules/add": adminForm, "POST /api/v1/reports/schedules/add": adminAPI, "POST /reports/schedules/remove": adminNone, "POST /api/v1/reports/schedules/remove": adminNoAPI,
	"GET /cycles.ics": openPage, "GET /api/v1/found": openData, "GET /api/v1/feeds": openData, "GET /api/v1/cycles": openData,
	"POST /servers/take": {303, 303, 403, 403, 404, 404}, "POST /api/v1/servers/take": {403, 401, 403, 403, 404, 404},
	"POST /servers/check": editForm, "POST /api/v1/servers/check": editAPI,
	"POST /feeds/add": adminForm, "POST /api/v1/feeds/add": adminAPI, "POST /feeds/remove": adminNone, "POST /api/v1/feeds/remove": adminNoAPI,
	"POST /feeds/pull": {303, 303, 403, 403, 404, 404}, "POST /api/v1/feeds/pull": {403, 401, 403, 403, 404, 404},
	"POST /cycles/add": editForm, "POST /api/v1/cycles/add": editAPI,
	"POST /cycles/remove": {303, 303, 403, 403, 404, 404}, "POST /api/v1/cycles/remove": {403, 401, 403, 403, 404, 404},
	"GET /api/v1/freezes": openData, "POST /freezes/add": adminForm, "POST /api/v1/freezes/add": adminAPI, "POST /freezes/remove": adminNone, "POST /api/v1/freezes/remove": adminNoAPI,
	"GET /api/v1/servers": openData, "GET /api/v1/exposures": openData, "GET /api/v1/vex": openData,
	"POST /servers/add": editForm, "POST /api/v1/servers/add": editAPI, "POST /servers/csv": editForm, "POST /api/v1/servers/csv": editAPI,
	"POST /servers/sbom": editForm, "POST /api/v1/servers/sbom": editAPI, "POST /advisories/add": editForm, "POST /api/v1/advisories/add": editAPI,
	"POST /servers/remove": {303, 303, 403, 403, 404, 404}, "POST /api/v1/servers/remove": {403, 401, 403, 403, 404, 404},
	"GET /outputs": oversee, "GET /api/v1/outputs": overseeAPI, "GET /metrics": openData,
	"POST /outputs/add": adminForm, "POST /api/v1/outputs/add": adminAPI, "POST /outputs/remove": adminNone, "POST /api/v1/outputs/remove": adminNoAPI,
	"GET /updates": openPage, "GET /api/v1/updates": openData, "GET /system": openPage, "GET /api/v1/system": openData, "GET /api/v1/log": openData,
	"GET /system/bundle": {303, 303, 403, 403, 200, 200}, "GET /api/v1/system/bundle": {403, 401, 403, 403, 200, 200},
	"POST /updates/upload": {303, 303, 403, 403, 403, 403}, "POST /api/v1/updates/upload": {403, 401, 403, 403, 415, 415}, // no file
	"POST /updates/check": {303, 303, 403, 403, 303, 303}, "POST /api/v1/updates/check": {403, 401, 403, 403, 200, 200},
	"POST /updates/install": editForm, "POST /api/v1/updates/install": editAPI, "POST /updates/slot": editForm, "POST /api/v1/updates/slot": editAPI,
	"POST /system/rehearse": editForm, "POST /api/v1/system/rehearse": editAPI, "POST /system/blink": editForm, "POST /api/v1/system/blink": editAPI,
	"POST /system/restart": editForm, "POST /api/v1/system/restart": editAPI,
	"POST /settings/export": adminForm, "POST /api/v1/settings/export": adminAPI, "POST /settings/import": adminForm, "POST /api/v1/settings/import": adminAPI,
	"POST /settings/certificate/renew": adminForm, "POST /api/v1/settings/certificate/renew": adminAPI,
	"POST /settings/certificate/request": adminForm, "POST /api/v1/settings/certificate/request": adminAPI,
	"POST /settings/certificate/install": adminForm, "POST /api/v1/settings/certificate/install": adminAPI,
	"POST /users/key": adminForm, "POST /api/v1/users/key": adminAPI, "POST /users/key/drop": adminNone, "POST /api/v1/users/key/drop": adminNoAPI,
	"POST /draft/ssh": editForm, "POST /api/v1/draft/ssh": editAPI, "POST /draft/bypass": editForm, "POST /api/v1/draft/bypass": editAPI,
	"GET /static/upload.js":    {200, 200, 200, 200, 200, 200},
	"GET /api/v1/openapi.json": openData,
	"GET /patches":             openPage, "GET /patches/{definition}": openPage, "GET /settings": openPage, "GET /changes": openPage, "GET /changes/{id}": openPage,
	"GET /api/v1/changes": openData, "GET /api/v1/changes/{id}": openData, "GET /api/v1/settings": openData,
	"POST /draft/mode": editForm, "POST /api/v1/draft/mode": editAPI, "POST /draft/parameter": editForm, "POST /api/v1/draft/parameter": editAPI,
	"POST /draft/service/add": editForm, "POST /api/v1/draft/service/add": editAPI,
	"POST /draft/service": editForm, "POST /api/v1/draft/service": editAPI,
	"POST /draft/service/remove": editForm, "POST /api/v1/draft/service/remove": editAPI,
	"POST /draft/firmware": {303, 303, 403, 403, 303, 303}, "POST /api/v1/draft/firmware": {403, 401, 403, 403, 200, 200}, // nothing is given, so nothing changes
	"POST /draft/time": {303, 303, 403, 403, 303, 303}, "POST /api/v1/draft/time": {403, 401, 403, 403, 200, 200},
	"POST /draft/appliance": editForm, "POST /api/v1/draft/appliance": editAPI,
	"POST /draft/management": {303, 303, 403, 403, 303, 303}, "POST /api/v1/draft/management": {403, 401, 403, 403, 200, 200}, // what is in force anyway
	"POST /draft/whole": {303, 303, 403, 403, 303, 303}, "POST /api/v1/draft/whole": {403, 401, 403, 403, 200, 200}, // an empty file
	"POST /draft/discard": {303, 303, 403, 403, 303, 409}, "POST /api/v1/draft/discard": {403, 401, 403, 403, 409, 409},
	"POST /changes/submit": {303, 303, 403, 403, 409, 409}, "POST /api/v1/changes/submit": {403, 401, 403, 403, 409, 409},
	"POST /changes/approve": {303, 303, 403, 422, 403, 422}, "POST /api/v1/changes/approve": {403, 401, 403, 422, 403, 422},
	"POST /changes/reject": {303, 303, 403, 422, 403, 422}, "POST /api/v1/changes/reject": {403, 401, 403, 422, 403, 422},
	"POST /changes/withdraw": editForm, "POST /api/v1/changes/withdraw": editAPI,
	"POST /changes/undo": editForm, "POST /api/v1/changes/undo": editAPI,
	"POST /settings/confirm": {303, 303, 403, 403, 409, 409}, "POST /api/v1/settings/confirm": {403, 401, 403, 403, 409, 409},
	"POST /settings/approvals": adminForm, "POST /api/v1/settings/approvals": adminAPI,
	"GET /api/v1/events/{seq}": openData, "GET /api/v1/events/{seq}/pcap": openData, "GET /api/v1/exposures.csv": openData, "GET /api/v1/cycles.ics": openData, "GET /api/v1/report/{form}": openData,
	"GET /account":                  openPage,
	"GET /api/v1/account":           openData,
	"POST /api/v1/account/password": {403, 401, 422, 422, 422, 422}, "POST /api/v1/account/factor": {403, 401, 422, 422, 422, 422},
	"POST /api/v1/account/factor/drop": {403, 401, 422, 422, 422, 422}, "POST /api/v1/account/sessions": {403, 401, 200, 200, 200, 200},
	"POST /account/password":         {303, 303, 422, 422, 422, 422},
	"POST /account/factor":           {303, 303, 422, 422, 422, 422},
	"POST /account/factor/drop":      {303, 303, 422, 422, 422, 422},
	"POST /account/sessions":         {303, 303, 303, 303, 303, 303},
	"POST /users/add":                adminForm,
	"POST /users/role":               adminForm,
	"POST /users/disable":            adminNone,
	"POST /users/enable":             adminNone,
	"POST /users/password":           adminForm,
	"POST /users/factor/drop":        adminNone,
	"POST /users/remove":             adminNone,
	"POST /tokens/add":               adminForm,
	"POST /tokens/drop":              adminNone,
	"POST /api/v1/users/add":         adminAPI,
	"POST /api/v1/users/role":        adminAPI,
	"POST /api/v1/users/disable":     adminNoAPI,
	"POST /api/v1/users/enable":      adminNoAPI,
	"POST /api/v1/users/password":    adminAPI,
	"POST /api/v1/users/factor/drop": adminNoAPI,
	"POST /api/v1/users/remove":      adminNoAPI,
	"POST /api/v1/tokens/add":        adminAPI,
	"POST /api/v1/tokens/drop":       adminNoAPI,
	"POST /logout":                   {303, 303, 303, 303, 303, 303},
	"GET /login":                     {303, 200, 303, 303, 303, 303},
	"POST /login":                    {303, 403, 403, 403, 403, 403}, // without the form's own token
	"GET /setup":                     {200, 303, 303, 303, 303, 303},
	"POST /setup":                    {403, 303, 303, 303, 303, 303},
	"GET /api/v1/status":             openData,
	"GET /api/v1/events":             openData,
	"GET /api/v1/tallies":            openData,
	"GET /api/v1/audit":              overseeAPI,
	"GET /api/v1/users":              overseeAPI,
	"POST /api/v1/login":             {403, 401, 401, 401, 401, 401},
	"POST /api/v1/logout":            openData,
	"GET /api/":                      {403, 401, 404, 404, 404, 404},
	"GET /":                          {303, 303, 404, 404, 404, 404},
	"GET /static/page.css":           {200, 200, 200, 200, 200, 200},
	"GET /static/refresh.js":         {200, 200, 200, 200, 200, 200},
	"GET /static/htmx.min.js":        {200, 200, 200, 200, 200, 200},
	"GET /static/chart.js":           {200, 200, 200, 200, 200, 200},
	"GET /static/uplot.min.js":       {200, 200, 200, 200, 200, 200},
	"GET /static/uplot.min.css":      {200, 200, 200, 200, 200, 200},
	"GET /static/uplot.license.txt":  {200, 200, 200, 200, 200, 200},
	"GET /static/icon.svg":           {200, 200, 200, 200, 200, 200},
}

// samplePath is an address for patterns that are none themselves.
func samplePath(pattern string) string {
	switch pattern {
	case "/":
		return "/no/such/page"
	case "/api/":
		return "/api/v9/nothing"
	}
	return strings.NewReplacer("{$}", "", "{seq}", "1", "{id}", "1", "{cve}", "CVE-2023-26125", "{address}", "192.0.2.1", "{definition}", "WP-2023-26125", "{form}", "json").Replace(pattern)
}

// asked sends what fits the route, as the user, "" for a stranger.
func (l *lab) asked(method, path, user string) int {
	body, change := "", []func(*http.Request){}
	if strings.HasPrefix(path, "/api/") && method == "POST" {
		body = "{}"
	}
	if user != "" {
		c, s := l.sessionOf(user)
		change = append(change, with(c))
		if body == "" {
			body = "token=" + s.Token
		}
	}
	return l.do(method, path, body, change...).Code
}

func TestEveryRouteByEveryRole(t *testing.T) {
	fresh, set := newLab(t), newLab(t)
	set.setPassword()
	set.addUsers()
	set.log.Add(control.Event{Kind: "correction", Client: "10.77.0.1:1", Server: "10.77.0.2:80", Evidence: &session.Evidence{Action: "set", Before: []byte("a")}})
	set.poller.Poll(t.Context())
	set.poller.Poll(t.Context())
	set.settle()
	set.change(1)
	set.post("admin", "/reports/keep", "kind", "exposure")
	seen := 0
	for _, r := range set.site.routes() {
		name, path := r.method+" "+r.path, samplePath(r.path)
		want, ok := wantAnswers[name]
		if !ok {
			t.Errorf("route %s is not in the table", name)
			continue
		}
		seen++
		check := func(who string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s, %s: %d; want %d", name, who, got, want)
			}
		}
		check("no user yet", fresh.asked(r.method, path, ""), want.fresh)
		check("stranger", set.asked(r.method, path, ""), want.stranger)
		check("made-up session", set.do(r.method, path, map[bool]string{true: "{}"}[strings.HasPrefix(path, "/api/")], with(&http.Cookie{Name: sessionCookie, Value: "x"})).Code, want.stranger)
		for _, of := range []struct {
			who  string
			code int
		}{{"auditor", want.auditor}, {"approver", want.approver}, {"operator", want.operator}, {"administrator", want.admin}} {
			set.site.Throttle = auth.NewThrottle(set.now)
			set.nothingPending(r.path)
			check(of.who, set.asked(r.method, path, of.who), of.code)
		}
		checkForgery(set, r, path)
		checkMethods(set, r, path)
	}
	if seen != len(wantAnswers) {
		t.Errorf("%d routes; the table has %d", seen, len(wantAnswers))
	}
}

// checkForgery sends what another site's page could have a browser send.
func checkForgery(l *lab, r route, path string) {
	if r.method != "POST" {
		return
	}
	c, s := l.session()
	body := "token=" + s.Token
	if r.form == data {
		body = "{}"
	}
	for k, v := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		if got := l.do("POST", path, body, with(c), header(k, v)).Code; got != 403 {
			l.Errorf("POST %s, cross-origin by %s: %d; want 403", path, k, got)
		}
	}
	if r.form == page && r.access == signedIn {
		for _, forged := range []string{"", "token=", "token=x", "token=" + s.Token + "x"} {
			if got := l.do("POST", path, forged, with(c)).Code; got != 403 {
				l.Errorf("POST %s with %q: %d; want 403", path, forged, got)
			}
		}
	}
	if r.form == data {
		for _, typ := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
			if got := l.do("POST", path, "{}", with(c), header("Content-Type", typ)).Code; got != 415 {
				l.Errorf("POST %s as %s: %d; want 415", path, typ, got)
			}
		}
	}
}

func checkMethods(l *lab, r route, path string) {
	for _, m := range []string{"PUT", "DELETE", "OPTIONS", "TRACE", "XYZZY"} {
		c, _ := l.session()
		w := l.do(m, path, "", with(c), header("Sec-Fetch-Site", "same-origin"))
		if r.access == newcomer {
			if w.Code != 303 {
				l.Errorf("%s %s: %d; want 303", m, path, w.Code)
			}
		} else if w.Code != 405 || w.Header().Get("Allow") == "" {
			l.Errorf("%s %s: %d, Allow %q; want 405 and what is allowed", m, path, w.Code, w.Header().Get("Allow"))
		}
	}
}

// A token has its role's rights in the API, none on the pages, and never those
// that ask for a person.
func TestTokensByRole(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for _, name := range auth.RoleNames() {
		var r auth.Role
		l.must(r.UnmarshalText([]byte(name)))
		text, err := l.site.Users.NewToken(name, r, "admin", time.Hour)
		l.must(err)
		bearer := header("Authorization", "Bearer "+text)
		for _, rt := range l.site.routes() {
			if rt.access != signedIn {
				continue
			}
			path := samplePath(rt.path)
			got := l.do(rt.method, path, "{}", bearer).Code
			switch isAPI := strings.HasPrefix(path, "/api/") || path == "/metrics"; {
			case !isAPI && got != 303 && got != 401:
				t.Errorf("%s token, %s %s: %d; want it turned away from pages", name, rt.method, path, got)
			case isAPI && (!r.In(rt.may) || rt.people) && got != 403:
				t.Errorf("%s token, %s %s: %d; want 403", name, rt.method, path, got)
			case isAPI && r.In(rt.may) && !rt.people && (got == 401 || got == 403):
				t.Errorf("%s token, %s %s: %d; want it let through", name, rt.method, path, got)
			}
		}
		if got := l.do("GET", "/api/v1/status", "", header("Authorization", "Bearer "+text+"x")).Code; got != 401 {
			t.Errorf("a token that is none: %d; want 401", got)
		}
	}
}

func TestNothingWithoutSignIn(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.poller.Poll(t.Context())
	for _, path := range []string{"/", "/live", "/login", "/api/v1/status", "/api/v1/events", "/x", "/static", "/static/", "/static/../login", "//", "/%2e%2e/cert.pem"} {
		w := l.do("GET", path, "")
		for _, secret := range []string{"wirepatch\"", "0.1.0", "10.77", "portal", "virtio", "page.css\">page.css"} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("GET %s tells %q to a stranger", path, secret)
			}
		}
	}
}

func TestHeadersOnEveryAnswer(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, _ := l.session()
	for _, path := range []string{"/", "/login", "/nothing", "/api/v1/status", "/static/page.css"} {
		for _, who := range [][]func(*http.Request){nil, {with(c)}} {
			h := l.do("GET", path, "", who...).Header()
			for k, want := range map[string]string{
				"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			} {
				if got := h.Get(k); got != want {
					t.Errorf("GET %s: %s = %q; want %q", path, k, got, want)
				}
			}
			if got := h.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("GET %s allows origin %q", path, got)
			}
			if got := h.Get("Cache-Control"); got != "no-store" && path != "/static/page.css" {
				t.Errorf("GET %s: Cache-Control = %q; want no-store", path, got)
			}
		}
	}
}

func TestUnknownHost(t *testing.T) {
	l := newLab(t)
	l.poller.Poll(t.Context())
	for host, want := range map[string]int{
		"127.0.0.1:8443": 200, "[::1]:8443": 200, "192.0.2.7": 200, "localhost:8443": 200, "wirepatch": 200, "WIREPATCH.local.": 200,
		"evil.example": 421, "wirepatch.evil.example": 421, "": 421,
	} {
		if got := l.do("GET", "/setup", "", func(r *http.Request) { r.Host = host }).Code; got != want {
			t.Errorf("Host %q: %d; want %d", host, got, want)
		}
	}
}

func TestTooLargeBody(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	w := l.do("POST", "/api/v1/login", `{"password":"`+strings.Repeat("x", maxBody)+`"}`)
	if w.Code != 400 {
		t.Errorf("a body over the limit: %d; want 400", w.Code)
	}
}
