package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"wirepatch/firmware/update"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/inventory"
)

// Cookies. The __Host- prefix makes the browser insist on Secure, on the path
// "/" and on this very host.
const (
	sessionCookie = "__Host-session"
	formCookie    = "__Host-form"
)

// visit is what is known about who asks.
type visit struct {
	form    form
	who     string // name of the user, or "token NAME"; "" for a stranger
	person  string // who made the token; "" without one
	role    auth.Role
	hands   []auth.Hand // who may act in their name
	session auth.Session
	id      string // of the session; "" without one
	change  bool   // the password must be changed first
}

// beforeChange is what can be done before a password that another has set is changed.
var beforeChange = []string{"/account", "/account/password", "/logout"}

// guard lets a request through to its route or answers in its place. It is the
// one place that decides who may do what.
func (s *Site) guard(w http.ResponseWriter, r *http.Request, rt route) {
	v := visit{form: rt.form}
	limit := int64(maxBody)
	if rt.large {
		limit += inventory.MaxUpload
	}
	if rt.stream {
		limit += update.MaxUpload
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if rt.access == anyone {
		rt.handle(w, r, v)
		return
	}
	if !s.Users.IsSet() {
		if rt.access == newcomer {
			rt.handle(w, r, v)
			return
		}
		s.turnAway(w, r, v, http.StatusForbidden, "/setup", "no user is set up yet; open /setup in a browser and make one with the set-up code from the serial console")
		return
	}
	s.identify(r, rt, &v)
	switch {
	case rt.access == newcomer:
		s.turnAway(w, r, v, http.StatusForbidden, "/login", "the box is set up already")
	case rt.access == visitor:
		rt.handle(w, r, v)
	case v.who == "":
		s.turnAway(w, r, v, http.StatusUnauthorized, signInFor(r, rt), "not signed in, or the session has ended; sign in with POST /api/v1/login, or send a token")
	case !v.role.In(rt.may):
		s.refused(r, v, rt.method+" "+rt.path)
		s.fail(w, r, v, http.StatusForbidden, "Not yours", "Your role, "+v.role.String()+", may not do this.", "It is for: "+rt.may.String()+".")
	case rt.people && v.id == "":
		s.fail(w, r, v, http.StatusForbidden, "Not for tokens", "A person must do this, not a token.", "Sign in with name and password.")
	case v.change && !slices.Contains(beforeChange, strings.TrimPrefix(rt.path, "/api/v1")):
		s.turnAway(w, r, v, http.StatusForbidden, "/account", "the password was set by another; change it first, on the page /account or with POST /api/v1/account/password")
	case rt.method == http.MethodPost && rt.form == page && !rt.stream && !v.session.CheckToken(r.PostFormValue("token")):
		s.fail(w, r, v, http.StatusForbidden, "Refused", "This form was not from this page or is out of date.", "Open the page again and send it once more.")
	default:
		rt.handle(w, r, v)
	}
}

// signInFor is the sign-in page that leads on to what was asked for. What was sent
// with a form is not done; it says so, and leads to the page of that form.
func signInFor(r *http.Request, rt route) string {
	q := url.Values{}
	next := r.URL.RequestURI()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		next = rt.back
		if _, err := r.Cookie(sessionCookie); err == nil {
			q.Set("lost", "yes")
		}
	}
	if ours(next) && next != "/" {
		q.Set("next", next)
	}
	if len(q) == 0 {
		return "/login"
	}
	return "/login?" + q.Encode()
}

// ours says whether an address is a path of this site, and leads nowhere else
// whichever way a browser reads it.
func ours(path string) bool {
	return len(path) <= 1000 && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f })
}

// identify finds out who asks: a session's cookie, or a token, which is good
// for the API alone.
func (s *Site) identify(r *http.Request, rt route, v *visit) {
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if !strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/metrics" {
			return
		}
		if t, ok := s.Users.CheckToken(text); ok {
			v.who, v.person, v.role, v.hands = "token "+t.Name, t.By, t.Role, t.Hands
		}
		return
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	session, ok := s.Sessions.Get(c.Value, !rt.quiet)
	if !ok {
		return
	}
	// Asked anew each time: who is disabled or has another role is so at once.
	user, ok := s.Users.Get(session.User)
	if !ok || !session.Of(user) {
		s.Sessions.End(c.Value)
		return
	}
	v.hands = user.Hands()
	v.who, v.role, v.session, v.id, v.change = user.Name, user.Role, session, c.Value, user.Change
}

// turnAway sends people to the page where they can go on and tells programs.
func (s *Site) turnAway(w http.ResponseWriter, r *http.Request, v visit, code int, to, text string) {
	if v.form == data {
		writeError(w, code, text)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
