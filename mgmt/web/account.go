package web

import (
	"net/http"
	"net/url"
	"time"

	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/visible"
)

// account is what a user sees of himself.
type account struct {
	MustChange, HasFactor bool
	RecoveryLeft          int
	MinLength             int
	Secret, URI           string  // a new factor, not yet in force
	Square                *square // the same for a camera
	Sessions              []sessionRow
}

type sessionRow struct {
	From    string
	Begun   moment
	ThisOne bool
}

func (s *Site) accountPage(w http.ResponseWriter, r *http.Request, v visit) {
	u, _ := s.Users.Get(v.who)
	a := account{MustChange: u.Change, HasFactor: u.Factor != "", RecoveryLeft: len(u.Recovery), MinLength: auth.MinLength}
	if !a.HasFactor {
		a.Secret = auth.NewFactor()
		a.URI = auth.FactorURI(a.Secret, v.who, s.hostname())
		a.Square = squareOf(a.URI)
	}
	for _, o := range s.Sessions.Of(v.who) {
		a.Sessions = append(a.Sessions, sessionRow{o.From, at(o.Begun), o.Token == v.session.Token})
	}
	s.show(w, v, http.StatusOK, "account", "Account", a)
}

// AccountInfo is the answer to GET /api/v1/account.
type AccountInfo struct {
	Name         string        `json:"name"`
	Role         string        `json:"role"`
	MustChange   bool          `json:"must_change"` // the password, before anything else
	Factor       bool          `json:"factor"`      // a second one is in force
	RecoveryLeft int           `json:"recovery_left"`
	Secret       string        `json:"secret,omitempty"` // one to begin with, where there is none
	URI          string        `json:"uri,omitempty"`
	Sessions     []SessionInfo `json:"sessions"`
}

// SessionInfo is one session of a user.
type SessionInfo struct {
	From  string    `json:"from"`
	Begun time.Time `json:"begun"`
	This  bool      `json:"this"`
}

func (s *Site) apiAccount(w http.ResponseWriter, _ *http.Request, v visit) {
	u, _ := s.Users.Get(v.who)
	a := AccountInfo{Name: v.who, Role: v.role.String(), MustChange: u.Change, Factor: u.Factor != "", RecoveryLeft: len(u.Recovery), Sessions: []SessionInfo{}}
	if !a.Factor {
		a.Secret = auth.NewFactor()
		a.URI = auth.FactorURI(a.Secret, v.who, s.hostname())
	}
	for _, o := range s.Sessions.Of(v.who) {
		a.Sessions = append(a.Sessions, SessionInfo{o.From, o.Begun.UTC(), o.Token == v.session.Token})
	}
	writeJSON(w, http.StatusOK, a)
}

// RecoveryCodes is the answer to POST /api/v1/account/factor.
type RecoveryCodes struct {
	Codes []string `json:"codes"` // each works once; they are told this one time
}

func (s *Site) hostname() string {
	if b := s.Wire.State().Box; b != nil {
		return visible.Line(b.Hostname)
	}
	return "wirepatch"
}

// confirmed checks the present password: who finds an open browser must not
// take the account over.
func (s *Site) confirmed(r *http.Request, v visit, in url.Values) error {
	if wait := s.Throttle.Attempt(from(r), v.who); wait > 0 {
		return faulty("too many attempts; wait %s", span(wait))
	}
	if err := s.Users.Confirm(r.Context(), v.who, in.Get("present")); err != nil {
		return err
	}
	s.Throttle.Success(from(r), v.who)
	return nil
}

func (s *Site) ownPassword(r *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: v.who, Back: "/"}
	if in.Get("password") != in.Get("repeat") {
		return d, faulty("the two passwords differ; type the same one twice")
	}
	if err := s.confirmed(r, v, in); err != nil {
		return d, err
	}
	if err := s.Users.ChangePassword(r.Context(), v.who, in.Get("password")); err != nil {
		return d, err
	}
	s.Sessions.EndOf(v.who, v.id)
	return d, nil
}

func (s *Site) ownFactor(r *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: v.who}
	if err := s.confirmed(r, v, in); err != nil {
		return d, err
	}
	codes, err := s.Users.SetFactor(v.who, in.Get("secret"), in.Get("code"))
	if err != nil {
		return d, err
	}
	s.Sessions.EndOf(v.who, v.id)
	d.Result = RecoveryCodes{codes}
	d.Shown = &shown{"Recovery codes", "The second factor is in force. Each of these codes works once in its place, when its device is lost. They are shown this one time: print them.", codes}
	return d, nil
}

func (s *Site) dropOwnFactor(r *http.Request, v visit, in url.Values) (done, error) {
	if err := s.confirmed(r, v, in); err != nil {
		return done{Object: v.who}, err
	}
	return done{Object: v.who}, s.Users.DropFactor(v.who)
}

func (s *Site) endOwnSessions(_ *http.Request, v visit, _ url.Values) (done, error) {
	return done{Object: v.who, Detail: count(uint64(s.Sessions.EndOf(v.who, v.id))) + " ended"}, nil
}
