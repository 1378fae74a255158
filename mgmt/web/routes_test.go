package web

import (
	"net/http"
	"strings"
	"testing"
)

// what a route answers, by who asks and how.
type answers struct {
	fresh, stranger, admin int // right method: no password set yet, not signed in, signed in
	wrong                  int // signed in, a method that it does not have
}

// Every route, by method and path. "see other" to /setup or /login is 303.
var wantAnswers = map[string]answers{
	"GET /{$}":               {303, 303, 200, 405},
	"GET /live":              {403, 401, 200, 405},
	"POST /logout":           {303, 303, 403, 405}, // 403: without the form's token
	"GET /login":             {303, 200, 303, 405},
	"POST /login":            {303, 403, 403, 405}, // 403: likewise
	"GET /setup":             {200, 303, 303, 303},
	"POST /setup":            {403, 303, 303, 303},
	"GET /api/v1/status":     {403, 401, 200, 405},
	"GET /api/v1/events":     {403, 401, 200, 405},
	"POST /api/v1/login":     {403, 400, 400, 405}, // 400: without a body
	"POST /api/v1/logout":    {403, 401, 400, 405},
	"GET /api/":              {403, 401, 404, 405},
	"GET /":                  {303, 303, 404, 405},
	"GET /static/page.css":   {200, 200, 200, 405},
	"GET /static/refresh.js": {200, 200, 200, 405},
	"GET /static/icon.svg":   {200, 200, 200, 405},
}

// sample paths for patterns that are not a path themselves.
func samplePath(pattern string) string {
	switch pattern {
	case "/":
		return "/no/such/page"
	case "/api/":
		return "/api/v9/nothing"
	}
	return strings.TrimSuffix(pattern, "{$}")
}

func TestEveryRoute(t *testing.T) {
	fresh, set := newLab(t), newLab(t)
	set.setPassword()
	seen := 0
	for _, r := range set.site.routes() {
		name := r.method + " " + r.path
		want, ok := wantAnswers[name]
		if !ok {
			t.Errorf("route %s is not in the table", name)
			continue
		}
		seen++
		path := samplePath(r.path)
		// A session of its own for each request: signing out ends it.
		signedIn := func() func(*http.Request) { c, _ := set.session(); return with(c) }
		check := func(who string, got, want int) {
			if got != want {
				t.Errorf("%s, %s: %d; want %d", name, who, got, want)
			}
		}
		check("no password set", fresh.do(r.method, path, "").Code, want.fresh)
		check("not signed in", set.do(r.method, path, "").Code, want.stranger)
		check("made-up session", set.do(r.method, path, "", with(&http.Cookie{Name: sessionCookie, Value: "x"})).Code, want.stranger)
		check("signed in", set.do(r.method, path, "", signedIn()).Code, want.admin)
		for _, m := range []string{"PUT", "DELETE", "OPTIONS", "TRACE", "XYZZY"} {
			w := set.do(m, path, "", signedIn(), header("Sec-Fetch-Site", "same-origin"))
			check(m, w.Code, want.wrong)
			if w.Code == 405 && w.Header().Get("Allow") == "" {
				t.Errorf("%s %s: 405 without Allow", m, path)
			}
		}
		if r.method == "POST" {
			for k, v := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
				check("cross-origin by "+k, set.do("POST", path, "", signedIn(), header(k, v)).Code, 403)
			}
		}
	}
	if seen != len(wantAnswers) {
		t.Errorf("%d routes; the table has %d", seen, len(wantAnswers))
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
