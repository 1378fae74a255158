package web

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"wirepatch/mgmt/auth"
)

// entry is what the sign-in and set-up pages show.
type entry struct {
	Problem   string
	Name      string // as it was typed
	Next      string // where the way leads on; "": to the overview
	MinLength int
}

// formToken returns the token for a form that is filled in without a session:
// the form and a cookie must agree, and another site can set neither.
func formToken(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(formCookie); err == nil && len(c.Value) == len(auth.NewID()) {
		return c.Value
	}
	token := auth.NewID()
	setCookie(w, formCookie, token)
	return token
}

func formTokenFits(r *http.Request) bool {
	c, err := r.Cookie(formCookie)
	return err == nil && c.Value != "" && subtle.ConstantTimeCompare([]byte(c.Value), []byte(r.PostFormValue("token"))) == 1
}

func (s *Site) entryPage(w http.ResponseWriter, r *http.Request, code int, name, title, problem string) {
	s.render(w, code, name, view{Title: title, Token: formToken(w, r), Page: entry{problem, r.PostFormValue("username"), next(r), auth.MinLength}})
}

func (s *Site) loginPage(w http.ResponseWriter, r *http.Request, v visit) {
	if v.id != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	problem := ""
	if r.FormValue("lost") != "" {
		problem = sentence(errLost)
	}
	s.entryPage(w, r, http.StatusOK, "login", "Sign in", problem)
}

func (s *Site) login(w http.ResponseWriter, r *http.Request, v visit) {
	if !formTokenFits(r) {
		s.entryPage(w, r, http.StatusForbidden, "login", "Sign in", sentence(errForm))
		return
	}
	in := Login{r.PostFormValue("username"), r.PostFormValue("password"), r.PostFormValue("code")}
	if code, err := s.signIn(w, r, v, in); err != nil {
		s.entryPage(w, r, code, "login", "Sign in", sentence(err))
		return
	}
	to := next(r)
	if to == "" {
		to = "/"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// next is the page of this site that a visitor wanted before signing in.
func next(r *http.Request) string {
	if to := r.FormValue("next"); ours(to) {
		return to
	}
	return ""
}

var errLost = errors.New("the session had ended, so what you sent was not done; sign in and send it again")

var errForm = errors.New("this form was not from this page or is out of date; fill it in again (the browser must accept this page's cookies)")

// signIn checks the password and opens a session, or returns the status code
// and what to tell.
func (s *Site) signIn(w http.ResponseWriter, r *http.Request, v visit, in Login) (int, error) {
	if in.User == "" {
		in.User = auth.FirstName
	}
	if err := s.mayTry(w, r, s.known(in.User)); err != nil {
		return http.StatusTooManyRequests, err
	}
	user, err := s.Users.SignIn(r.Context(), in.User, in.Password, in.Code)
	switch {
	case errors.Is(err, auth.ErrRefused), errors.Is(err, auth.ErrFactor), errors.Is(err, auth.ErrClock):
		// What was typed may be a password in the wrong field.
		who := s.known(in.User)
		if who == "" {
			who = "unknown user"
		}
		s.audit(r, visit{who: who}, "sign-in", "", err.Error(), outcomeRefused)
		return http.StatusUnauthorized, err
	case err != nil:
		return http.StatusServiceUnavailable, err
	}
	s.Throttle.Success(from(r), user.Name)
	s.Sessions.End(v.id) // a new session at each sign-in
	s.open(w, r, user)
	s.audit(r, visit{who: user.Name, role: user.Role}, "sign-in", "", "", outcomeDone)
	return http.StatusOK, nil
}

func (s *Site) open(w http.ResponseWriter, r *http.Request, user auth.User) {
	id, _ := s.Sessions.Create(user, from(r).String())
	setCookie(w, sessionCookie, id)
	dropCookie(w, formCookie)
}

// known is the name of a user that there is, else "".
func (s *Site) known(name string) string {
	if _, ok := s.Users.Get(name); !ok {
		return ""
	}
	return name
}

func (s *Site) mayTry(w http.ResponseWriter, r *http.Request, name string) error {
	wait := s.Throttle.Attempt(from(r), name)
	if wait == 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return fmt.Errorf("too many attempts; wait %s, then try again", time.Duration(seconds)*time.Second)
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request, v visit) {
	s.signOut(w, r, v)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Site) signOut(w http.ResponseWriter, r *http.Request, v visit) {
	s.Sessions.End(v.id)
	dropCookie(w, sessionCookie)
	s.audit(r, v, "sign-out", "", "", outcomeDone)
}

func (s *Site) setupPage(w http.ResponseWriter, r *http.Request, _ visit) {
	s.entryPage(w, r, http.StatusOK, "setup", "First set-up", "")
}

func (s *Site) setup(w http.ResponseWriter, r *http.Request, v visit) {
	code, err := s.setFirst(w, r)
	if err != nil {
		s.entryPage(w, r, code, "setup", "First set-up", sentence(err))
		return
	}
	first := s.Users.List()[0]
	s.audit(r, visit{who: first.Name, role: first.Role}, "set-up", first.Name, "first user made, set-up code used up", outcomeDone)
	s.Throttle.Success(from(r), "")
	s.open(w, r, first)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Site) setFirst(w http.ResponseWriter, r *http.Request) (int, error) {
	if !formTokenFits(r) {
		return http.StatusForbidden, errForm
	}
	password := r.PostFormValue("password")
	if password != r.PostFormValue("repeat") {
		return http.StatusUnprocessableEntity, errors.New("the two passwords differ; type the same one twice")
	}
	if err := s.mayTry(w, r, ""); err != nil {
		return http.StatusTooManyRequests, err
	}
	err := s.Users.SetUp(r.Context(), r.PostFormValue("code"), r.PostFormValue("username"), password)
	switch {
	case err == nil:
		return http.StatusOK, nil
	case errors.Is(err, auth.ErrPassword), errors.Is(err, auth.ErrName):
		return http.StatusUnprocessableEntity, err
	case errors.Is(err, auth.ErrCode), errors.Is(err, auth.ErrSet):
		s.audit(r, visit{who: "newcomer"}, "set-up", "", err.Error(), outcomeRefused)
		return http.StatusForbidden, err
	}
	s.Log.Error("set-up failed", "cause", err)
	return http.StatusServiceUnavailable, errors.New("the password could not be kept; the log on the serial console has the cause")
}
