package web

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
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

// maxEvents bounds one answer to GET /api/v1/events.
const maxEvents = 200

// apiEvents answers with the records above ?since=, oldest first, at most ?limit=.
func (s *Site) apiEvents(w http.ResponseWriter, r *http.Request, _ visit) {
	since, err1 := number(r, "since", 0)
	limit, err2 := number(r, "limit", maxEvents)
	if err1 != nil || err2 != nil {
		writeError(w, http.StatusBadRequest, "since and limit must be whole numbers, as /api/v1/events?since=0&limit=100")
		return
	}
	records := s.Wire.Since(since, int(min(limit, maxEvents)))
	if records == nil {
		records = []wire.Record{}
	}
	writeJSON(w, http.StatusOK, records)
}

func number(r *http.Request, key string, def uint64) (uint64, error) {
	v := r.URL.Query().Get(key)
	if v == "" {
		return def, nil
	}
	return strconv.ParseUint(v, 10, 64)
}

// Login is the body of POST /api/v1/login.
type Login struct {
	Password string `json:"password"`
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
	if code, err := s.signIn(w, r, v, body.Password); err != nil {
		writeError(w, code, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, LoggedIn{time.Now().Add(auth.AbsoluteTimeout)})
}

func (s *Site) apiLogout(w http.ResponseWriter, r *http.Request, v visit) {
	if !s.readJSON(w, r, &struct{}{}) {
		return
	}
	s.Sessions.End(v.id)
	dropCookie(w, sessionCookie)
	writeJSON(w, http.StatusOK, struct{}{})
}

// readJSON reads the body or answers with what is wrong with it. To insist on
// the content type also keeps out what a foreign page's form can send.
func (s *Site) readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "send the body as JSON with Content-Type: application/json")
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more == io.EOF {
			return true
		}
	}
	writeError(w, http.StatusBadRequest, "the body is not the JSON object that this address takes; see docs/management.md")
	return false
}
