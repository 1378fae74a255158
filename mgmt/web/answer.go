package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"

	"wirepatch/mgmt/auth"
)

// failure is what the error page shows.
type failure struct{ Title, Text, Advice, Back string }

// fail answers with an error that says what to do, in the form of the route.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, v visit, code int, title, text, advice string) {
	if v.form == data || strings.HasPrefix(r.URL.Path, "/api/") {
		writeError(w, code, text+" "+advice)
		return
	}
	s.show(w, v, code, "error", title, failure{title, text, advice, "/"})
}

// view is what every page template gets.
type view struct {
	Title string
	User  string // "" for a stranger
	Role  string
	Token string // for the forms on the page
	Nav   []navItem
	May   rights
	Wait  *pending
	Page  any
}

// rights are what the signed-in user may do, for forms to be shown or left out.
type rights struct{ Administer, Edit, Oversee bool }

type navItem struct {
	Path, Text string
	Current    bool
}

// navigation is the pages in their order; each is shown to who may open it.
var navigation = []struct {
	path, text string
	may        auth.Role
}{
	{"/", "Overview", all},
	{"/servers", "Servers", all},
	{"/vulnerabilities", "Vulnerabilities", all},
	{"/patches", "Inline patches", all},
	{"/corrections", "Corrections", all},
	{"/reports", "Reports", all},
	{"/changes", "Changes", all},
	{"/updates", "Updates", all},
	{"/settings", "Settings", all},
	{"/system", "System", all},
	{"/users", "Users", overseers},
	{"/outputs", "Outputs", overseers},
	{"/audit", "Audit", overseers},
}

// show writes a page with its frame.
func (s *Site) show(w http.ResponseWriter, v visit, code int, name, title string, page any) {
	out := view{Title: title, User: v.who, Token: v.session.Token, Page: page, May: rights{v.role.In(admins), v.role.In(editors), v.role.In(overseers)}}
	if v.who != "" {
		out.Role = v.role.String()
		out.Wait = s.pending(v)
		for _, n := range navigation {
			if v.role.In(n.may) {
				out.Nav = append(out.Nav, navItem{n.path, n.text, n.text == title})
			}
		}
	}
	s.render(w, code, name, out)
}

// render writes a page, all of it or an error.
func (s *Site) render(w http.ResponseWriter, code int, name string, v any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, v); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// respond answers with what was got, or says why it was not.
func respond(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(b, '\n'))
}

// apiError is the body of every answer that is not a success.
type apiError struct {
	Error string `json:"error"`
}

func writeError(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, apiError{text})
}

func (s *Site) noSuchPage(w http.ResponseWriter, r *http.Request, v visit) {
	s.fail(w, r, v, http.StatusNotFound, "No such page", "There is no page at this address.", "Go back to the overview at /.")
}

func (s *Site) wrongMethod(w http.ResponseWriter, r *http.Request, v visit, allow []string) {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	s.fail(w, r, v, http.StatusMethodNotAllowed, "Not possible here",
		"This address does not take "+method(r)+" requests.", "Use "+strings.Join(allow, " or ")+".")
}

// method keeps a made-up method out of the answer.
func method(r *http.Request) string {
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return r.Method
	}
	return "such"
}

func (s *Site) crossOrigin(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, visit{}, http.StatusForbidden, "Refused",
		"The browser says that another site caused this request.",
		"If you meant it, open the page of the box itself and do it there.")
}

// from returns the address of who asks.
func from(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero Addr counts as one more source
	return ap.Addr()
}
