package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/auth"
)

func TestSetUpAndSignIn(t *testing.T) {
	l := newLab(t)
	code := l.site.Users.SetupCode()
	form := func(code, pw, repeat string) url.Values {
		return url.Values{"code": {code}, "password": {pw}, "repeat": {repeat}}
	}
	tests := []struct {
		v    url.Values
		want int
		says string
	}{
		{form(code, testPassword, testPassword+"x"), 422, "the two passwords differ"},
		{form("XXXX-XXXX-XXXX-XXXX", testPassword, testPassword), 403, "not the set-up code"},
		{form(code, "short", "short"), 422, "at least 12"},
		{form(code, testPassword, testPassword), 303, ""},
	}
	var last *httptest.ResponseRecorder
	for _, tt := range tests {
		last = l.sendForm("/setup", tt.v)
		if last.Code != tt.want || !strings.Contains(strings.ToLower(last.Body.String()), tt.says) {
			t.Errorf("set-up with %v: %d %s; want %d with %q", tt.v, last.Code, last.Body, tt.want, tt.says)
		}
		if strings.Contains(last.Body.String(), code) || strings.Contains(last.Body.String(), testPassword) {
			t.Error("the page repeats a secret")
		}
	}
	checkSession(l, last)
	if w := l.sendForm("/login", url.Values{"password": {"wrong password"}}); w.Code != 401 || cookie(w, sessionCookie) != nil {
		t.Errorf("wrong password: %d, cookie %v; want 401, none", w.Code, cookie(w, sessionCookie))
	}
	checkSession(l, l.sendForm("/login", url.Values{"password": {testPassword}}))
}

// checkSession says whether w hands out a session that works, in a cookie as
// it must be.
func checkSession(l *lab, w *httptest.ResponseRecorder) {
	l.Helper()
	c := cookie(w, sessionCookie)
	if c == nil {
		l.Fatalf("%d %s: no session", w.Code, w.Body)
	}
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 43 {
		l.Errorf("session cookie %q; want Secure, HttpOnly, SameSite=Strict, Path=/, no Domain, 256 bits", c)
	}
	if got := l.do("GET", "/", "", with(c)).Code; got != 200 {
		l.Errorf("GET / with the session: %d; want 200", got)
	}
}

// Who is signed out in the middle of something is told that it was not done, and is
// led back to where it was; and nowhere else, whatever stands in the address.
func TestSignInLeadsOn(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	gone := with(&http.Cookie{Name: sessionCookie, Value: "x"})
	for _, tt := range []struct {
		method, path string
		change       []func(*http.Request)
		want         string
	}{
		{"GET", "/", nil, "/login"},
		{"GET", "/corrections?q=a+b&mode=shadow", nil, "/login?next=%2Fcorrections%3Fq%3Da%2Bb%26mode%3Dshadow"},
		{"POST", "/servers/add", []func(*http.Request){gone}, "/login?lost=yes&next=%2Fservers"},
		{"POST", "/servers/add", nil, "/login?next=%2Fservers"},
		{"POST", "/updates/upload", []func(*http.Request){gone}, "/login?lost=yes"},
	} {
		w := l.do(tt.method, tt.path, "", tt.change...)
		if got := w.Header().Get("Location"); w.Code != 303 || got != tt.want {
			t.Errorf("%s %s: %d to %q; want %q", tt.method, tt.path, w.Code, got, tt.want)
		}
	}
	if page := l.do("GET", "/login?lost=yes&next=%2Fservers", "").Body.String(); !strings.Contains(page, "was not done") || !strings.Contains(page, `name="next" value="/servers"`) {
		t.Errorf("the sign-in page says neither what was lost nor where it leads: %s", page)
	}
	for next, want := range map[string]string{"/servers?q=x": "/servers?q=x", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "/a\r\nSet-Cookie: x=y": "/"} {
		w := l.sendForm("/login", url.Values{"username": {"admin"}, "password": {testPassword}, "next": {next}})
		if got := w.Header().Get("Location"); w.Code != 303 || got != want {
			t.Errorf("signed in for %q: %d to %q; want %q", next, w.Code, got, want)
		}
	}
}

func TestFormTokens(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	right := url.Values{"password": {testPassword}, "token": {"a"}}.Encode()
	for name, change := range map[string]func(*http.Request){
		"no cookie":    func(*http.Request) {},
		"other cookie": with(&http.Cookie{Name: formCookie, Value: "b"}),
		"empty cookie": with(&http.Cookie{Name: formCookie, Value: ""}),
	} {
		if w := l.do("POST", "/login", right, change); w.Code != 403 || cookie(w, sessionCookie) != nil {
			t.Errorf("sign-in with %s: %d; want 403", name, w.Code)
		}
	}
	c, s := l.session()
	for token, want := range map[string]int{"": 403, "x": 403, s.Token + "x": 403} {
		if got := l.do("POST", "/logout", url.Values{"token": {token}}.Encode(), with(c)).Code; got != want {
			t.Errorf("sign-out with token %q: %d; want %d", token, got, want)
		}
	}
	if got := l.do("POST", "/logout?token="+s.Token, "", with(c)).Code; got != 403 {
		t.Errorf("sign-out with the token in the address: %d; want 403", got)
	}
	if w := l.do("POST", "/logout", url.Values{"token": {s.Token}}.Encode(), with(c)); w.Code != 303 || cookie(w, sessionCookie).MaxAge >= 0 {
		t.Errorf("sign-out: %d, cookie %v; want 303, cookie dropped", w.Code, cookie(w, sessionCookie))
	}
	if got := l.do("GET", "/api/v1/status", "", with(c)).Code; got != 401 {
		t.Errorf("after sign-out: %d; want 401", got)
	}
}

func TestThrottled(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	try := func(pw string) *httptest.ResponseRecorder {
		return l.do("POST", "/api/v1/login", `{"password":"`+pw+`"}`)
	}
	for range 5 {
		if w := try("wrong"); w.Code != 401 {
			t.Fatalf("wrong password: %d; want 401", w.Code)
		}
	}
	w := try(testPassword)
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("sixth attempt: %d, Retry-After %q; want 429, 1", w.Code, w.Header().Get("Retry-After"))
	}
	if w := l.sendForm("/login", url.Values{"password": {testPassword}}); w.Code != 429 || !strings.Contains(w.Body.String(), "wait 1s") {
		t.Errorf("sixth attempt by the form: %d; want 429 and how long to wait", w.Code)
	}
	l.advance(time.Second)
	checkSession(l, try(testPassword))
}

func TestAPILogin(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for body, want := range map[string]int{
		``: 400, `{`: 400, `[]`: 400, `"x"`: 400, `{"password":1}`: 400, `{"pass":"x"}`: 400, `{"password":"x"} {}`: 400,
		`{"password":"x"}`: 401, `{}`: 401,
	} {
		l.site.Throttle = auth.NewThrottle(l.now)
		w := l.do("POST", "/api/v1/login", body)
		if w.Code != want || !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Errorf("%s: %d %s; want %d and an error in JSON", body, w.Code, w.Body, want)
		}
	}
	body := `{"password":"` + testPassword + `"}`
	for _, typ := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"} {
		if w := l.do("POST", "/api/v1/login", body, header("Content-Type", typ)); w.Code != 415 {
			t.Errorf("Content-Type %q: %d; want 415", typ, w.Code)
		}
	}
	w := l.do("POST", "/api/v1/login", body, header("Content-Type", "application/json; charset=utf-8"))
	checkSession(l, w)
	c := cookie(w, sessionCookie)
	if w := l.do("POST", "/api/v1/logout", `{}`, with(c)); w.Code != 200 {
		t.Errorf("logout: %d; want 200", w.Code)
	}
	if got := l.do("GET", "/api/v1/status", "", with(c)).Code; got != 401 {
		t.Errorf("after logout: %d; want 401", got)
	}
}

func TestRefreshingDoesNotProlong(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for path, want := range map[string]int{"/live": 401, "/": 200} {
		c, _ := l.session()
		for range 4 {
			l.advance(auth.IdleTimeout / 3)
			l.do("GET", path, "", with(c))
		}
		if got := l.do("GET", "/live", "", with(c)).Code; got != want {
			t.Errorf("session after asking only for %s: %d; want %d", path, got, want)
		}
	}
}

// A password that was set at the console ends the sessions of who knew the one before,
// also where the box's clock was set back in between.
func TestResetEndsSessions(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		l := newLab(t)
		l.setPassword()
		l.addUsers()
		c, _ := l.sessionOf("operator")
		if w := l.do("GET", "/account", "", with(c)); w.Code != 200 {
			t.Fatalf("before: %d; want 200", w.Code)
		}
		l.advance(by / 10)
		console, err := auth.Open(l.dir, l.now)
		l.must(err)
		l.must(console.Reset(t.Context(), "operator", "another long phrase"))
		if w := l.do("GET", "/account", "", with(c)); w.Code != 303 {
			t.Errorf("with the clock set by %v: %d; want 303, to the sign-in", by/10, w.Code)
		}
		c, _ = l.sessionOf("operator")
		if w := l.do("GET", "/account", "", with(c)); w.Code != 200 {
			t.Errorf("signed in anew: %d; want 200", w.Code)
		}
	}
}
