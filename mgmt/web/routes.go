package web

import (
	"net/http"

	"wirepatch/mgmt/auth"
)

// access says who may use a route, besides its roles. There is one place that
// checks it, guard, and one table that says it, routes.
type access int

const (
	signedIn access = iota // the zero value: a user or token of the roles that the route names
	visitor                // not signed in, once there is a user
	newcomer               // while there is no user
	anyone                 // always: files that tell nothing
)

// form says in which form a route answers, its errors included.
type form int

const (
	page form = iota
	data      // JSON, or a fragment for the page's script
)

type handler func(http.ResponseWriter, *http.Request, visit)

type route struct {
	path, method string
	access       access
	may          auth.Role // of signedIn; the zero value: nobody
	people       bool      // not with a token: a person must stand behind it
	form         form
	quiet        bool // asked again and again by itself: does not prolong the session
	handle       handler
}

// Sets of roles that routes name.
const (
	all       = auth.Everyone
	admins    = auth.Administrator
	overseers = auth.Administrator | auth.Auditor
)

// routes is the whole site.
func (s *Site) routes() []route {
	r := []route{
		{path: "/{$}", method: "GET", may: all, handle: s.overview},
		{path: "/live", method: "GET", may: all, form: data, quiet: true, handle: s.live},
		{path: "/corrections", method: "GET", may: all, handle: s.findPage},
		{path: "/corrections/{seq}", method: "GET", may: all, handle: s.recordPage},
		{path: "/corrections/{seq}/json", method: "GET", may: all, handle: s.recordJSON},
		{path: "/corrections/{seq}/pcap", method: "GET", may: all, handle: s.recordPcap},
		{path: "/audit", method: "GET", may: overseers, handle: s.auditPage},
		{path: "/account", method: "GET", may: all, people: true, handle: s.accountPage},
		{path: "/account/password", method: "POST", may: all, people: true, handle: s.act("account.password", "/account", s.ownPassword)},
		{path: "/account/factor", method: "POST", may: all, people: true, handle: s.act("account.factor", "/account", s.ownFactor)},
		{path: "/account/factor/drop", method: "POST", may: all, people: true, handle: s.act("account.factor.drop", "/account", s.dropOwnFactor)},
		{path: "/account/sessions", method: "POST", may: all, people: true, handle: s.act("account.sessions.end", "/account", s.endOwnSessions)},
		{path: "/users", method: "GET", may: overseers, handle: s.usersPage},
		{path: "/logout", method: "POST", may: all, people: true, handle: s.logout},
		{path: "/login", method: "GET", access: visitor, handle: s.loginPage},
		{path: "/login", method: "POST", access: visitor, handle: s.login},
		{path: "/setup", method: "GET", access: newcomer, handle: s.setupPage},
		{path: "/setup", method: "POST", access: newcomer, handle: s.setup},
		{path: "/api/v1/status", method: "GET", may: all, form: data, handle: s.apiStatus},
		{path: "/api/v1/events", method: "GET", may: all, form: data, handle: s.apiEvents},
		{path: "/api/v1/tallies", method: "GET", may: all, form: data, handle: s.apiTallies},
		{path: "/api/v1/audit", method: "GET", may: overseers, form: data, handle: s.apiAudit},
		{path: "/api/v1/users", method: "GET", may: overseers, form: data, handle: s.apiUsers},
		{path: "/api/v1/login", method: "POST", access: visitor, form: data, handle: s.apiLogin},
		{path: "/api/v1/logout", method: "POST", may: all, people: true, form: data, handle: s.apiLogout},
		{path: "/api/", method: "GET", may: all, form: data, handle: s.noSuchPage},
		{path: "/", method: "GET", may: all, handle: s.noSuchPage},
	}
	// What changes something is there twice: for forms and for programs.
	for _, a := range s.actions() {
		r = append(r,
			route{path: a.path, method: "POST", may: a.may, people: a.people, handle: s.act(a.name, a.back, a.do)},
			route{path: "/api/v1" + a.path, method: "POST", may: a.may, people: a.people, form: data, handle: s.act(a.name, a.back, a.do)})
	}
	for path, h := range staticFiles() {
		r = append(r, route{path: path, method: "GET", access: anyone, handle: h})
	}
	return r
}

// actions are what a page or a program can have done. Users and tokens are
// managed by people only: a stolen token must not make another one.
func (s *Site) actions() []action {
	return []action{
		{name: "user.add", path: "/users/add", back: "/users", may: admins, people: true, do: s.addUser},
		{name: "user.role", path: "/users/role", back: "/users", may: admins, people: true, do: s.setRole},
		{name: "user.disable", path: "/users/disable", back: "/users", may: admins, people: true, do: s.disableUser},
		{name: "user.enable", path: "/users/enable", back: "/users", may: admins, people: true, do: s.enableUser},
		{name: "user.password", path: "/users/password", back: "/users", may: admins, people: true, do: s.resetUser},
		{name: "user.factor.drop", path: "/users/factor/drop", back: "/users", may: admins, people: true, do: s.dropFactor},
		{name: "user.remove", path: "/users/remove", back: "/users", may: admins, people: true, do: s.removeUser},
		{name: "token.add", path: "/tokens/add", back: "/users", may: admins, people: true, do: s.addToken},
		{name: "token.drop", path: "/tokens/drop", back: "/users", may: admins, people: true, do: s.dropToken},
	}
}

// mux gathers the routes by path.
func (s *Site) mux() *http.ServeMux {
	paths := map[string][]route{}
	for _, r := range s.routes() {
		paths[r.path] = append(paths[r.path], r)
	}
	mux := http.NewServeMux()
	for path, routes := range paths {
		mux.Handle(path, s.methods(routes))
	}
	return mux
}

// methods serves one path. A method that it does not have is refused like the
// routes it has: what there is stays unknown to who may not see it.
func (s *Site) methods(routes []route) http.HandlerFunc {
	var allow []string
	wrong := routes[0]
	for _, r := range routes {
		allow = append(allow, r.method)
		wrong.access = min(wrong.access, r.access)
		wrong.may |= r.may
	}
	wrong.method = ""
	wrong.handle = func(w http.ResponseWriter, r *http.Request, v visit) { s.wrongMethod(w, r, v, allow) }
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		for _, rt := range routes {
			if rt.method == method {
				s.guard(w, r, rt)
				return
			}
		}
		s.guard(w, r, wrong)
	}
}
