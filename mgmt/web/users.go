package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/visible"
)

// userList is who may sign in, and with what programs do.
type userList struct {
	Users     []userRow
	Tokens    []tokenRow
	Roles     []string
	MinLength int
}

type userRow struct {
	Name, Role string
	Created    moment
	Factor     bool
	Disabled   bool
	Change     bool
	Sessions   int
	Keys       []auth.Key
}

type tokenRow struct {
	Name, Role, By   string
	Created, Expires moment
	Over             bool
}

func (s *Site) usersPage(w http.ResponseWriter, _ *http.Request, v visit) {
	l := userList{Roles: auth.RoleNames(), MinLength: auth.MinLength}
	for _, u := range s.Users.List() {
		l.Users = append(l.Users, userRow{u.Name, u.Role.String(), at(u.Created), u.Factor != "", u.Disabled, u.Change, len(s.Sessions.Of(u.Name)), u.Keys})
	}
	for _, t := range s.Users.Tokens() {
		l.Tokens = append(l.Tokens, tokenRow{t.Name, t.Role.String(), t.By, at(t.Created), at(t.Expires), !s.Now().Before(t.Expires)})
	}
	s.show(w, v, http.StatusOK, "users", "Users", l)
}

func (s *Site) addKey(_ *http.Request, v visit, in url.Values) (done, error) {
	k, err := s.Users.AddKey(in.Get("name"), in.Get("key"))
	if err == nil {
		err = s.Users.Gave(in.Get("name"), v.who)
	}
	return done{Object: in.Get("name"), Detail: k.Sum, Result: k}, err
}

func (s *Site) dropKey(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: in.Get("name"), Detail: visible.Line(in.Get("sum"))}, s.Users.DropKey(in.Get("name"), in.Get("sum"))
}

// UserInfo is one user as programs see him.
type UserInfo struct {
	Name     string    `json:"name"`
	Role     auth.Role `json:"role"`
	Disabled bool      `json:"disabled"`
	Factor   bool      `json:"second_factor"`
	Created  time.Time `json:"created"`

	Keys []auth.Key `json:"keys"` // for SSH
}

// UsersInfo is the answer to GET /api/v1/users.
type UsersInfo struct {
	Users  []UserInfo   `json:"users"`
	Tokens []auth.Token `json:"tokens"`
}

func (s *Site) apiUsers(w http.ResponseWriter, _ *http.Request, _ visit) {
	out := UsersInfo{Users: []UserInfo{}, Tokens: s.Users.Tokens()}
	for _, u := range s.Users.List() {
		out.Users = append(out.Users, UserInfo{u.Name, u.Role, u.Disabled, u.Factor != "", u.Created, u.Keys})
	}
	writeJSON(w, http.StatusOK, out)
}

func role(in url.Values) (r auth.Role, err error) {
	if err := r.UnmarshalText([]byte(in.Get("role"))); err != nil {
		return 0, faulty("%v", err)
	}
	return r, nil
}

func (s *Site) addUser(r *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: in.Get("name"), Detail: in.Get("role")}
	may, err := role(in)
	if err != nil {
		return d, err
	}
	if err := s.Users.Add(r.Context(), d.Object, may, in.Get("password")); err != nil {
		return d, err
	}
	return d, s.Users.Gave(d.Object, v.who)
}

func (s *Site) setRole(_ *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: in.Get("name")}
	may, err := role(in)
	if err != nil {
		return d, err
	}
	old, _ := s.Users.Get(d.Object)
	d.Detail = old.Role.String() + " → " + may.String()
	if err := s.Users.SetRole(d.Object, may); err != nil {
		return d, err
	}
	return d, s.Users.Gave(d.Object, v.who)
}

func (s *Site) disableUser(_ *http.Request, _ visit, in url.Values) (done, error) {
	name := in.Get("name")
	if err := s.Users.Disable(name, true); err != nil {
		return done{Object: name}, err
	}
	s.Sessions.EndOf(name, "")
	return done{Object: name}, nil
}

func (s *Site) enableUser(_ *http.Request, v visit, in url.Values) (done, error) {
	name := in.Get("name")
	if err := s.Users.Disable(name, false); err != nil {
		return done{Object: name}, err
	}
	return done{Object: name}, s.Users.Gave(name, v.who)
}

func (s *Site) resetUser(r *http.Request, v visit, in url.Values) (done, error) {
	name := in.Get("name")
	if err := s.Users.Reset(r.Context(), name, in.Get("password")); err != nil {
		return done{Object: name}, err
	}
	s.Sessions.EndOf(name, "")
	return done{Object: name}, s.Users.Gave(name, v.who)
}

func (s *Site) dropFactor(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: in.Get("name")}, s.Users.DropFactor(in.Get("name"))
}

func (s *Site) removeUser(_ *http.Request, _ visit, in url.Values) (done, error) {
	name := in.Get("name")
	if err := s.Users.Remove(name); err != nil {
		return done{Object: name}, err
	}
	s.Sessions.EndOf(name, "")
	return done{Object: name}, nil
}

// NewToken is the answer to a new token, the only time that it is told.
type NewToken struct {
	Token string `json:"token"`
}

func (s *Site) addToken(_ *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: in.Get("name"), Detail: in.Get("role")}
	may, err := role(in)
	if err != nil {
		return d, err
	}
	days, err := strconv.Atoi(in.Get("days"))
	if err != nil || days < 1 || days > 400 {
		return d, auth.ErrLife
	}
	text, err := s.Users.NewToken(d.Object, may, v.who, time.Duration(days)*24*time.Hour)
	if err != nil {
		return d, err
	}
	d.Result = NewToken{text}
	d.Shown = &shown{"Token " + d.Object, "Send it as “Authorization: Bearer …” to addresses below /api/. It is shown this one time.", []string{text}}
	return d, nil
}

func (s *Site) dropToken(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: in.Get("name")}, s.Users.DropToken(in.Get("name"))
}
