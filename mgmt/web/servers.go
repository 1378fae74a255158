package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/visible"
)

// serverList is the page of servers.
type serverList struct {
	Problem  string
	Words    string
	Order    string
	Orders   []string
	Rows     []serverRow
	Total    int // that the words fit
	First    int // number of the first that is listed
	Earlier  string
	Later    string
	Products []string   // that inline patches are for
	Found    []foundRow // not in the inventory
	More     int        // that are not listed
}

type serverRow struct {
	Address, Name, Group string
	Added                moment
	Components           int
	Answers              []serviceFound // on the wire
	Services             []string       // protected ones with its address
	Counts               []stateCount
}

type componentRow struct {
	Name, Version, Evidence, Source string
	Seen                            moment
}

type stateCount struct {
	State, Class string
	N            int
}

var exposureClass = map[inventory.State]string{inventory.Exposed: "bad", inventory.Possible: "warn", inventory.Shadow: "warn", inventory.Corrected: "good", inventory.Patched: "good"}

var exposureOrder = []inventory.State{inventory.Exposed, inventory.Possible, inventory.Shadow, inventory.Corrected, inventory.Patched}

func (s *Site) serversPage(w http.ResponseWriter, r *http.Request, v visit) {
	l := serverList{Words: visible.Line(r.URL.Query().Get("q")), Order: r.URL.Query().Get("order"), Orders: serverOrders}
	now, err := s.Exposures.View()
	if err != nil {
		l.Problem = visible.Line(err.Error())
		now = &inventory.View{}
	}
	l.Products = now.Products
	all, err := s.Inventory.Found()
	if err != nil {
		l.Problem = visible.Line(err.Error())
	}
	order, found := findings(all)
	counts := map[netip.Addr]map[inventory.State]int{}
	for _, e := range now.Exposures {
		if counts[e.Address] == nil {
			counts[e.Address] = map[inventory.State]int{}
		}
		counts[e.Address][e.State]++
	}
	part := l.part(now.Servers, counts, r)
	for _, sv := range now.Servers {
		if f := found[sv.Address]; f != nil && !slices.ContainsFunc(part, func(p inventory.Server) bool { return p.Address == sv.Address }) {
			delete(found, sv.Address)
		}
	}
	for _, sv := range part {
		row := serverRow{Address: sv.Address.String(), Name: visible.Line(sv.Name), Group: visible.Line(sv.Group), Added: at(sv.Added), Components: len(sv.Components), Services: s.servicesOf(sv.Address)}
		if f := found[sv.Address]; f != nil {
			row.Answers = f.Services
			delete(found, sv.Address)
		}
		for _, state := range exposureOrder {
			if n := counts[sv.Address][state]; n > 0 {
				row.Counts = append(row.Counts, stateCount{string(state), exposureClass[state], n})
			}
		}
		l.Rows = append(l.Rows, row)
	}
	for _, a := range order {
		if f := found[a]; f != nil && len(l.Found) < shownFound {
			l.Found = append(l.Found, *f)
		} else if f != nil {
			l.More++
		}
	}
	s.show(w, v, http.StatusOK, "servers", "Servers", l)
}

// shownServers are on one page; more are on the next.
const shownServers = 100

// serverOrders are in which the list can be; the first is the usual one.
var serverOrders = []string{"address", "name", "group", "most exposed"}

// sort puts servers into the order that was asked for; they come by address.
func (l *serverList) sort(all []inventory.Server, counts map[netip.Addr]map[inventory.State]int) {
	switch l.Order {
	case "name":
		slices.SortStableFunc(all, func(a, b inventory.Server) int { return strings.Compare(a.Name, b.Name) })
	case "group":
		slices.SortStableFunc(all, func(a, b inventory.Server) int { return strings.Compare(a.Group, b.Group) })
	case "most exposed":
		slices.SortStableFunc(all, func(a, b inventory.Server) int {
			for _, st := range exposureOrder {
				if c := counts[b.Address][st] - counts[a.Address][st]; c != 0 {
					return c
				}
			}
			return 0
		})
	}
}

// part picks the servers that the words fit, and of them the page that was asked for.
func (l *serverList) part(all []inventory.Server, counts map[netip.Addr]map[inventory.State]int, r *http.Request) []inventory.Server {
	words := strings.Fields(strings.ToLower(l.Words))
	fit := slices.DeleteFunc(slices.Clone(all), func(sv inventory.Server) bool {
		text := []string{sv.Address.String(), sv.Name, sv.Group}
		for _, c := range sv.Components {
			text = append(text, c.Name, c.Version)
		}
		in := strings.ToLower(strings.Join(text, " "))
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(in, w) })
	})
	l.sort(fit, counts)
	from, err := number(r, "from", 0)
	if err != nil || from > uint64(len(fit)) {
		from = 0
	}
	end := min(int(from)+shownServers, len(fit))
	l.Total, l.First = len(fit), int(from)+1
	link := func(from int) string {
		return "/servers?" + url.Values{"q": {l.Words}, "order": {l.Order}, "from": {strconv.Itoa(from)}}.Encode()
	}
	if from > 0 {
		l.Earlier = link(max(0, int(from)-shownServers))
	}
	if end < len(fit) {
		l.Later = link(end)
	}
	return fit[from:end]
}

// shownFound bounds the list of what is not in the inventory.
const shownFound = 200

func componentRows(sv inventory.Server) (rows []componentRow) {
	for _, c := range sv.Components {
		rows = append(rows, componentRow{visible.Line(c.Name), visible.Line(c.Version), string(c.Evidence), visible.Line(c.Source), at(c.Seen)})
	}
	return rows
}

func (s *Site) apiServers(w http.ResponseWriter, _ *http.Request, _ visit) {
	servers, err := s.Inventory.Servers()
	respond(w, servers, err)
}

func (s *Site) addServer(_ *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: visible.Line(in.Get("address"))}
	a, err := netip.ParseAddr(in.Get("address"))
	if err != nil {
		return d, faulty("address: got %.60q, want an IPv4 or IPv6 address", in.Get("address"))
	}
	sv := inventory.Server{Address: a.Unmap(), Name: in.Get("name"), Group: in.Get("group")}
	if p := in.Get("product"); p != "" {
		sv.Components = []inventory.Component{{Name: p, Version: in.Get("version"), Evidence: inventory.ByWord, Source: v.who}}
		d.Detail = visible.Line(p + " " + in.Get("version"))
	}
	return d, s.Inventory.Put([]inventory.Server{sv})
}

func (s *Site) removeServer(_ *http.Request, _ visit, in url.Values) (done, error) {
	a, err := netip.ParseAddr(in.Get("address"))
	if err != nil {
		return done{}, inventory.ErrNone
	}
	return done{Object: a.String()}, s.Inventory.Remove(a)
}

func (s *Site) addServers(_ *http.Request, v visit, in url.Values) (done, error) {
	list, err := inventory.ReadCSV([]byte(in.Get("text")), v.who)
	if err != nil {
		return done{}, err
	}
	return done{Detail: fmt.Sprintf("%d lines", len(list))}, s.Inventory.Put(list)
}

func (s *Site) addBill(_ *http.Request, _ visit, in url.Values) (done, error) {
	a, err := netip.ParseAddr(in.Get("address"))
	if err != nil {
		return done{}, faulty("address: got %.60q, want the server's address", in.Get("address"))
	}
	d := done{Object: a.String()}
	list, err := inventory.ReadCycloneDX([]byte(in.Get("text")))
	if err != nil {
		return d, err
	}
	d.Detail = fmt.Sprintf("%d components", len(list))
	return d, s.Inventory.Put([]inventory.Server{{Address: a.Unmap(), Components: list}})
}

func (s *Site) addAdvisories(_ *http.Request, _ visit, in url.Values) (done, error) {
	list, err := inventory.ReadAdvisories([]byte(in.Get("text")))
	if err != nil {
		return done{}, err
	}
	return done{Detail: fmt.Sprintf("%d advisories", len(list))}, s.Inventory.PutAdvisories(list)
}

// exposureView is the page of vulnerabilities: all, or one.
type exposureView struct {
	Problem    string
	CVE        string // "" for all
	Words      string
	State      string
	States     []string
	Order      string
	Orders     []string
	Rows       []exposureRow
	More       int // that are not listed
	Counts     []stateCount
	Advisories int
	Feeds      []feedRow
	Query      string
}

type exposureRow struct {
	CVE, Title, Address, Server, Group, Product string
	State, Class, Affected                      string
	Definition, Mode, Service, Advice           string
	Why                                         []string
	Days                                        int
	KEV, Ransom                                 bool
	Due                                         string
	Corrections                                 string // of that definition in that service, all time
}

func (s *Site) exposurePage(w http.ResponseWriter, r *http.Request, v visit) {
	view := exposureView{CVE: visible.Line(r.PathValue("cve")), Words: visible.Line(r.URL.Query().Get("q")), State: visible.Line(r.URL.Query().Get("state")), Order: r.URL.Query().Get("order"), Orders: exposureOrders, Query: r.URL.Query().Encode()}
	for _, st := range exposureOrder {
		view.States = append(view.States, string(st))
	}
	list, err := s.filtered(r)
	if err != nil {
		view.Problem = visible.Line(err.Error())
	}
	counted := s.countTallies(r)
	counts := map[inventory.State]int{}
	for _, e := range list {
		counts[e.State]++
		if len(view.Rows) < shownExposures || view.CVE != "" && len(view.Rows) < shownOfOne {
			view.Rows = append(view.Rows, s.rowOfExposure(e, counted))
		} else {
			view.More++
		}
	}
	for _, st := range exposureOrder {
		view.Counts = append(view.Counts, stateCount{string(st), exposureClass[st], counts[st]})
	}
	if now, err := s.Exposures.View(); err == nil {
		view.Advisories = now.Advisories
	}
	if view.Feeds, err = s.feedRows(); err != nil {
		view.Problem = visible.Line(err.Error())
	}
	title := "Vulnerabilities"
	if view.CVE != "" {
		title = view.CVE
	}
	s.show(w, v, http.StatusOK, "exposures", title, view)
}

// shownExposures bounds what one page lists: the worst come first. Of a single
// vulnerability there are more, for that page is to answer a question as a whole.
const (
	shownExposures = 100
	shownOfOne     = 500
)

func (s *Site) rowOfExposure(e inventory.Exposure, counted map[[3]string]uint64) exposureRow {
	row := exposureRow{e.CVE, visible.Line(e.Title), e.Address.String(), visible.Line(e.Server), visible.Line(e.Group), visible.Line(e.Component.Name + " " + e.Component.Version),
		string(e.State), exposureClass[e.State], e.Affected, visible.Line(e.Definition), e.Mode, visible.Line(e.Service), e.Advice, nil, e.Days(s.Now()), e.KEV, e.Ransom, visible.Line(e.Due), ""}
	for _, y := range e.Why {
		row.Why = append(row.Why, visible.Line(y))
	}
	if e.Definition != "" && e.Service != "" {
		row.Corrections = count(counted[[3]string{e.Definition, e.Service, "correct"}])
	}
	return row
}

// exposureOrders are in which the list can be; the first is the usual one.
var exposureOrders = []string{"worst first", "vulnerability", "server", "days"}

// sorted puts exposures into an order; they come the worst first.
func (s *Site) sorted(all []inventory.Exposure, order string) {
	now := s.Now()
	compare := map[string]func(a, b inventory.Exposure) int{
		"vulnerability": func(a, b inventory.Exposure) int { return strings.Compare(b.CVE, a.CVE) }, // the newest first
		"server":        func(a, b inventory.Exposure) int { return a.Address.Compare(b.Address) },
		"days":          func(a, b inventory.Exposure) int { return b.Days(now) - a.Days(now) },
	}[order]
	if compare != nil {
		slices.SortStableFunc(all, compare)
	}
}

// filtered is the exposures that the address asks for.
func (s *Site) filtered(r *http.Request) ([]inventory.Exposure, error) {
	var all []inventory.Exposure
	now, err := s.Exposures.View()
	if err == nil {
		all = now.Exposures
	}
	words := strings.Fields(strings.ToLower(r.URL.Query().Get("q")))
	state, cve := r.URL.Query().Get("state"), r.PathValue("cve")
	out := []inventory.Exposure{}
	for _, e := range all {
		text := strings.ToLower(strings.Join([]string{e.CVE, e.Title, e.Address.String(), e.Server, e.Group, e.Component.Name, e.Definition}, " "))
		fits := (state == "" || string(e.State) == state) && (cve == "" || e.CVE == cve)
		for _, w := range words {
			fits = fits && strings.Contains(text, w)
		}
		if fits {
			out = append(out, e)
		}
	}
	s.sorted(out, r.URL.Query().Get("order"))
	return out, err
}

func (s *Site) apiExposures(w http.ResponseWriter, r *http.Request, _ visit) {
	list, err := s.filtered(r)
	respond(w, list, err)
}

func (s *Site) exposureCSV(w http.ResponseWriter, r *http.Request, v visit) {
	list, err := s.filtered(r)
	if err != nil {
		s.fail(w, r, v, http.StatusInternalServerError, "Not to be had", visible.Line(err.Error())+".", "Try again.")
		return
	}
	attach(w, "exposures.csv")
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c := csv.NewWriter(w)
	c.Write([]string{"vulnerability", "address", "server", "group", "product", "version", "state", "definition", "service", "mode", "days", "kev", "due", "advice", "evidence"})
	for _, e := range list {
		line := []string{e.CVE, e.Address.String(), e.Server, e.Group, e.Component.Name, e.Component.Version, string(e.State), e.Definition, e.Service, e.Mode,
			strconv.Itoa(e.Days(s.Now())), strconv.FormatBool(e.KEV), e.Due, e.Advice, strings.Join(e.Why, "; ")}
		for i := range line {
			line[i] = harmlessCell(line[i])
		}
		c.Write(line)
	}
	c.Flush()
}

// harmlessCell keeps a spreadsheet from taking text for a formula.
func harmlessCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (s *Site) exposureVEX(w http.ResponseWriter, r *http.Request, v visit) {
	list, err := s.filtered(r)
	if err != nil {
		s.fail(w, r, v, http.StatusInternalServerError, "Not to be had", visible.Line(err.Error())+".", "Try again.")
		return
	}
	attach(w, "wirepatch-"+s.Now().UTC().Format(time.DateOnly)+".vex.cdx.json")
	writeJSON(w, http.StatusOK, inventory.NewVEX(list, s.hostname(), s.Now()))
}
