package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/check"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/visible"
)

// foundRow is a server that was found on the wire and is not in the inventory.
type foundRow struct {
	Address  string
	Names    []string
	Services []serviceFound
	Last     moment
}

// serviceFound is one port that answered.
type serviceFound struct {
	Port, Protocol string
	Number         int
	Software       []softwareFound
	First, Last    moment
	Protected      string // service that it is protected as; "" none
	Suggested      string // name of a service that would protect it; "" where it cannot be protected
}

type softwareFound struct {
	Name, Version, Evidence string
	Seen                    moment
}

// findings groups what the wire has found by address.
func findings(all []control.Found) (order []netip.Addr, rows map[netip.Addr]*foundRow) {
	rows = map[netip.Addr]*foundRow{}
	for _, f := range all {
		r := rows[f.Address]
		if r == nil {
			r = &foundRow{Address: f.Address.String()}
			rows[f.Address] = r
			order = append(order, f.Address)
		}
		sv := serviceFound{Port: strconv.Itoa(int(f.Port)), Number: int(f.Port), Protocol: visible.Line(f.Protocol), First: at(f.First), Last: at(f.Last)}
		if f.UDP {
			sv.Port += "/udp"
		}
		for _, s := range f.Software {
			sv.Software = append(sv.Software, softwareFound{visible.Line(s.Name), visible.Line(s.Version), visible.Line(s.Evidence), at(s.Seen)})
		}
		r.Services = append(r.Services, sv)
		for _, n := range f.Names {
			if n = visible.Line(n); !slices.Contains(r.Names, n) {
				r.Names = append(r.Names, n)
			}
		}
		if l := at(f.Last); l.Machine > r.Last.Machine {
			r.Last = l
		}
	}
	return order, rows
}

// serverView is the page of one server.
type serverView struct {
	Problem    string
	Address    string
	Name       string
	Group      string
	Known      bool // in the inventory
	Found      *foundRow
	Components []componentRow
	Services   []string
	Rows       []exposureRow
	Verdicts   []verdict
	Ports      []string // that can be asked
	Approvals  int
}

// verdict is what follows for the inline patches in front of a server.
type verdict struct {
	Title, Class, Hint string
	Rows               []exposureRow
}

// verdictKinds sort exposures by what there is to do about the inline patch; of
// the state "" where that does not matter.
var verdictKinds = []struct {
	advice             string
	state              inventory.State
	title, class, hint string
}{
	{"switch on again", "", "Switched off too early", "bad", "An inline patch stood in and was switched off, and the server still has an affected version."},
	{"switch on", "", "Should be on", "warn", "There is an inline patch, and it does not correct."},
	{"patch", inventory.Exposed, "Open", "bad", "No inline patch stands in: the vendor's patch is what helps."},
	{"patch", inventory.Corrected, "On, and needed", "good", "An inline patch stands in: it stays on until the vendor's patch is installed."},
	{"retire", "", "Can retire", "good", "The version is one that is not affected: the inline patch is not needed any more."},
	{"find out", "", "Not known", "warn", "The version has to be found out: import a bill of materials, or ask the server."},
}

func (s *Site) serverPage(w http.ResponseWriter, r *http.Request, v visit) {
	a, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil {
		s.fail(w, r, v, http.StatusNotFound, "No such server", "There is no server at this address.", "All are listed on the page Servers.")
		return
	}
	view, err := s.viewServer(r, a.Unmap())
	if errors.Is(err, inventory.ErrNone) {
		s.fail(w, r, v, http.StatusNotFound, "No such server", "No server of this address is in the inventory, or was seen on the wire.", "All are listed on the page Servers.")
		return
	}
	if err != nil {
		view.Problem = visible.Line(err.Error())
	}
	s.show(w, v, http.StatusOK, "server", view.Address, view)
}

func (s *Site) viewServer(r *http.Request, a netip.Addr) (serverView, error) {
	view := serverView{Address: a.String()}
	now, err := s.Exposures.View()
	if err != nil {
		return view, err
	}
	for _, sv := range now.Servers {
		if sv.Address == a {
			view.Known, view.Name, view.Group = true, visible.Line(sv.Name), visible.Line(sv.Group)
			view.Components = componentRows(sv)
		}
	}
	all, err := s.Inventory.Found()
	if err != nil {
		return view, err
	}
	_, rows := findings(all)
	view.Found = rows[a]
	if !view.Known && view.Found == nil {
		return view, inventory.ErrNone
	}
	if view.Found != nil {
		for i, p := range view.Found.Services {
			if !strings.Contains(p.Port, "/") {
				view.Ports = append(view.Ports, p.Port)
				s.suggest(a, &view.Found.Services[i])
			}
		}
	}
	view.Services = s.servicesOf(a)
	counted := s.countTallies(r)
	sorted := make([][]exposureRow, len(verdictKinds))
	for _, e := range now.Exposures {
		if e.Address != a {
			continue
		}
		row := s.rowOfExposure(e, counted)
		view.Rows = append(view.Rows, row)
		for i, k := range verdictKinds {
			if k.advice == e.Advice && (k.state == "" || k.state == e.State) {
				sorted[i] = append(sorted[i], row)
			}
		}
	}
	for i, k := range verdictKinds {
		if len(sorted[i]) > 0 {
			view.Verdicts = append(view.Verdicts, verdict{k.title, k.class, k.hint, sorted[i]})
		}
	}
	view.Approvals, _ = s.Changes.Approvals() // 2 where it cannot be read
	return view, nil
}

// servicesOf names the protected services with an address.
func (s *Site) servicesOf(a netip.Addr) (names []string) {
	st := s.Wire.State().Dataplane.Status
	if st == nil {
		return nil
	}
	for _, p := range st.Services {
		if inventory.Covers(p.Address, a) {
			names = append(names, visible.Line(p.Name))
		}
	}
	return names
}

// suggest says as which service a port is protected, or could be.
func (s *Site) suggest(a netip.Addr, p *serviceFound) {
	st := s.Wire.State().Dataplane.Status
	if st == nil {
		return
	}
	for _, sv := range st.Services {
		if sv.Port == p.Number && inventory.Covers(sv.Address, a) {
			p.Protected = visible.Line(sv.Name)
			return
		}
	}
	if slices.Contains(settings.Protocols, p.Protocol) {
		p.Suggested = fmt.Sprintf("%s-%s-%d", p.Protocol, strings.ReplaceAll(a.String(), ":", "-"), p.Number)
	}
}

func (s *Site) apiFound(w http.ResponseWriter, _ *http.Request, _ visit) {
	all, err := s.Inventory.Found()
	respond(w, all, err)
}

// takeServer takes a found server into the inventory.
func (s *Site) takeServer(_ *http.Request, _ visit, in url.Values) (done, error) {
	a, err := netip.ParseAddr(in.Get("address"))
	if err != nil {
		return done{}, inventory.ErrNone
	}
	return done{Object: a.String(), Back: "/servers/" + a.String()}, s.Inventory.Take(a.Unmap())
}

// checkServer asks for a check: at once, or when as many as must have approved.
func (s *Site) checkServer(r *http.Request, v visit, in url.Values) (done, error) {
	a, err := netip.ParseAddr(in.Get("address"))
	if err != nil {
		return done{}, faulty("address: got %.60q, want the server's address", in.Get("address"))
	}
	port, err := strconv.ParseUint(in.Get("port"), 10, 16)
	if err != nil || port == 0 {
		return done{}, faulty("port: got %.20q, want 1 to 65535", in.Get("port"))
	}
	at := netip.AddrPortFrom(a.Unmap(), uint16(port))
	if ok, err := s.inInventory(at.Addr()); err != nil || !ok {
		return done{}, errors.Join(err, faulty("only servers of the inventory are asked; take %s in first", at.Addr()))
	}
	c, err := s.Changes.Propose(r.Context(), whoOf(r, v), change.OfCheck, at.String(), "ask "+at.String()+" which version it is")
	return doneChange(v, c), err
}

func (s *Site) inInventory(a netip.Addr) (bool, error) {
	v, err := s.Exposures.View()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(v.Servers, func(sv inventory.Server) bool { return sv.Address == a }), nil
}

// Check asks a server and keeps what it says; the manager of changes calls it.
func (s *Site) Check(ctx context.Context, value string) (string, error) {
	at, err := netip.ParseAddrPort(value)
	if err != nil {
		return "", err
	}
	if ok, err := s.inInventory(at.Addr()); err != nil || !ok {
		return "", errors.Join(err, fmt.Errorf("%s is no longer in the inventory", at.Addr()))
	}
	f, err := check.Ask(ctx, at)
	if err != nil {
		return "", fmt.Errorf("%s was asked, and did not say: %w", at, err)
	}
	var said []string
	var all []inventory.Component
	for _, v := range f.Software {
		said = append(said, strings.TrimSpace(v.Name+" "+v.Version))
		all = append(all, inventory.Component{Name: v.Name, Version: v.Version, Evidence: inventory.ByCheck, Source: fmt.Sprintf("port %d, %s", at.Port(), v.Evidence)})
	}
	if len(all) == 0 {
		return fmt.Sprintf("it speaks %s and names no product", f.Protocol), nil
	}
	return "it says: " + strings.Join(said, ", "), s.Inventory.Put([]inventory.Server{{Address: at.Addr(), Components: all}})
}
