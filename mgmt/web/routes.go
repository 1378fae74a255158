package web

import "net/http"

// access says who may use a route. There is one place that checks it, guard,
// and one table that says it, routes.
type access int

const (
	signedIn access = iota // the zero value: what is not said otherwise is for the administrator
	visitor                // not signed in, once a password is set
	newcomer               // while no password is set
	anyone                 // always: files that tell nothing
)

// form says in which form a route answers, its errors included.
type form int

const (
	page form = iota
	data      // JSON, or a fragment for the page's script
)

type route struct {
	path, method string
	access       access
	form         form
	quiet        bool // asked again and again by itself: does not prolong the session
	handle       func(http.ResponseWriter, *http.Request, visit)
}

// routes is the whole site.
func (s *Site) routes() []route {
	r := []route{
		{path: "/{$}", method: "GET", handle: s.overview},
		{path: "/live", method: "GET", form: data, quiet: true, handle: s.live},
		{path: "/logout", method: "POST", handle: s.logout},
		{path: "/login", method: "GET", access: visitor, handle: s.loginPage},
		{path: "/login", method: "POST", access: visitor, handle: s.login},
		{path: "/setup", method: "GET", access: newcomer, handle: s.setupPage},
		{path: "/setup", method: "POST", access: newcomer, handle: s.setup},
		{path: "/api/v1/status", method: "GET", form: data, handle: s.apiStatus},
		{path: "/api/v1/events", method: "GET", form: data, handle: s.apiEvents},
		{path: "/api/v1/login", method: "POST", access: visitor, form: data, handle: s.apiLogin},
		{path: "/api/v1/logout", method: "POST", form: data, handle: s.apiLogout},
		{path: "/api/", method: "GET", form: data, handle: s.noSuchPage},
		{path: "/", method: "GET", handle: s.noSuchPage},
	}
	for path, h := range staticFiles() {
		r = append(r, route{path: path, method: "GET", access: anyone, handle: h})
	}
	return r
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
	}
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
