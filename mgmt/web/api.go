package web

import (
	"net/http"
	"time"

	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/wire"
)

// Status is the answer to GET /api/v1/status.
type Status struct {
	wire.State
	System system.Figures `json:"system"`
}

func (s *Site) apiStatus(w http.ResponseWriter, _ *http.Request, _ visit) {
	writeJSON(w, http.StatusOK, Status{s.Wire.State(), s.System.Figures()})
}

// Login is the body of POST /api/v1/login.
type Login struct {
	User     string `json:"user"` // "": the one that set-up makes without a name
	Password string `json:"password"`
	Code     string `json:"code"` // of the second factor, where there is one
}

// LoggedIn is its answer; the session is in the cookie.
type LoggedIn struct {
	Expires time.Time `json:"expires"` // at the latest; idle sessions end sooner
}

func (s *Site) apiLogin(w http.ResponseWriter, r *http.Request, v visit) {
	var body Login
	if !s.readJSON(w, r, &body) {
		return
	}
	if code, err := s.signIn(w, r, v, body); err != nil {
		writeError(w, code, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, LoggedIn{time.Now().Add(auth.AbsoluteTimeout)})
}

func (s *Site) apiLogout(w http.ResponseWriter, r *http.Request, v visit) {
	if !s.readJSON(w, r, &struct{}{}) {
		return
	}
	s.signOut(w, r, v)
	writeJSON(w, http.StatusOK, struct{}{})
}
