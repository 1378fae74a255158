package web

import (
	"net/http"

	"wirepatch/mgmt/auth"
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
	session auth.Session
	id      string // of the session; "" without one
}

// guard lets a request through to its route or answers in its place.
func (s *Site) guard(w http.ResponseWriter, r *http.Request, rt route) {
	v := visit{form: rt.form}
	if rt.access == anyone {
		rt.handle(w, r, v)
		return
	}
	if !s.Account.IsSet() {
		if rt.access == newcomer {
			rt.handle(w, r, v)
			return
		}
		s.turnAway(w, r, v, http.StatusForbidden, "/setup", "no password is set yet; open /setup in a browser and set one with the set-up code from the serial console")
		return
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if session, ok := s.Sessions.Get(c.Value, !rt.quiet); ok {
			v.session, v.id = session, c.Value
		}
	}
	switch {
	case rt.access == signedIn && v.id == "":
		s.turnAway(w, r, v, http.StatusUnauthorized, "/login", "not signed in, or the session has ended; sign in with POST /api/v1/login")
	case rt.access == newcomer:
		s.turnAway(w, r, v, http.StatusForbidden, "/login", "a password is already set")
	default:
		rt.handle(w, r, v)
	}
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
