package web

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/visible"
)

// patchesView is the list of inline patches.
type patchesView struct {
	Known bool
	Words string
	Total int
	Rows  []patchRow
}

type patchRow struct {
	definitionRow
	In                  []patchCell // services in which its mode is another than in all
	Corrected, Shadowed string
}

type patchCell struct{ Service, Mode, Class string }

// patchView is the page of one inline patch.
type patchView struct {
	definitionRow
	Default    string // what it is set to for all services: "default", or a mode
	Only       string // product whose servers it is confined to
	Shadowed   string // what shadow mode would have changed in all, since ever
	Cells      []patchSetting
	Parameters []parameterView
	Undo       *changeRow // the last change, where it was of this one and can be taken back
}

type patchSetting struct {
	patchCell
	Own                 string // mode of its own, as wanted; "" as for all services
	Corrected, Shadowed string
}

// parameterView is a value that the owner may give.
type parameterView struct {
	Name, About, Type, Default string
	Values                     []parameterCell // for all services, then in each
}

type parameterCell struct {
	Service      string // "": all
	InForce, Own string
	Given        bool // Own is wanted; else what holds for all, or the default
}

var definitionModes = []string{"off", "shadow", "correct"}

func (s *Site) patchesPage(w http.ResponseWriter, r *http.Request, v visit) {
	view := patchesView{Words: visible.Line(r.URL.Query().Get("q"))}
	st := s.Wire.State().Dataplane
	if st.Status != nil {
		view.Known, view.Total = true, len(st.Status.Definitions)
		counted := s.countTallies(r)
		for i, row := range definitionRows(st) {
			d := st.Status.Definitions[i]
			if !speaksOf(d, view.Words) {
				continue
			}
			p := patchRow{definitionRow: row, Corrected: count(counted[[3]string{d.ID, "", "correct"}]), Shadowed: count(counted[[3]string{d.ID, "", "shadow"}])}
			for _, sv := range st.Status.Services {
				if mode := change.ModeIn(d, sv.Name); mode != d.Mode && d.Error == "" {
					p.In = append(p.In, cellOf(sv.Name, mode))
				}
			}
			view.Rows = append(view.Rows, p)
		}
	}
	s.show(w, v, http.StatusOK, "patches", "Inline patches", view)
}

func cellOf(service, mode string) patchCell {
	return patchCell{visible.Line(service), visible.Line(mode), modeClass(mode)}
}

// speaksOf says whether every word stands somewhere in what is shown of a definition.
func speaksOf(d control.Definition, words string) bool {
	text := strings.ToLower(strings.Join(append([]string{d.ID, d.Title, d.Mode, d.Only}, d.Vulnerabilities...), " "))
	for _, w := range strings.Fields(strings.ToLower(words)) {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// patchPage shows one definition: where it is in force, and what its owner gives.
func (s *Site) patchPage(w http.ResponseWriter, r *http.Request, v visit) {
	st := s.Wire.State().Dataplane
	at := -1
	if st.Status != nil {
		at = slices.IndexFunc(st.Status.Definitions, func(d control.Definition) bool { return d.ID == r.PathValue("definition") })
	}
	if at < 0 {
		s.fail(w, r, v, http.StatusNotFound, "No such inline patch", "No definition of this name is loaded.", "See the page Inline patches for those that are.")
		return
	}
	d, set := st.Status.Definitions[at], s.wantedSettings(r)
	counted := s.countTallies(r)
	view := patchView{definitionRow: definitionRows(st)[at], Only: visible.Line(d.Only), Default: "default", Shadowed: count(counted[[3]string{d.ID, "", "shadow"}])}
	if m := set.Modes[d.ID]; m != "" {
		view.Default = m
	}
	for _, sv := range st.Status.Services {
		view.Cells = append(view.Cells, patchSetting{cellOf(sv.Name, change.ModeIn(d, sv.Name)), set.ServiceModes[d.ID][sv.Name],
			count(counted[[3]string{d.ID, sv.Name, "correct"}]), count(counted[[3]string{d.ID, sv.Name, "shadow"}])})
	}
	if v.role.In(editors) {
		view.Undo = s.undoOf(d.ID)
	}
	for _, p := range d.Parameters {
		view.Parameters = append(view.Parameters, parameterOf(p, set.Parameters[d.ID], st.Status.Services))
	}
	s.show(w, v, http.StatusOK, "patch", view.ID, view)
}

// undoOf is the last change, if it was of that definition and can be taken back:
// one click leads back from a mode that does harm.
func (s *Site) undoOf(definition string) *changeRow {
	last, err := s.Changes.LastApplied()
	if err != nil || s.Changes.Undoable(last) != nil {
		return nil
	}
	before, err1 := settings.Parse([]byte(last.Base))
	after, err2 := settings.Parse([]byte(last.Text))
	if err1 != nil || err2 != nil || before.Modes[definition] == after.Modes[definition] &&
		maps.Equal(before.ServiceModes[definition], after.ServiceModes[definition]) &&
		reflect.DeepEqual(before.Parameters[definition], after.Parameters[definition]) {
		return nil
	}
	row := rowOfChange(last)
	return &row
}

// wantedSettings are the draft's, or those in force; empty where they cannot be read.
func (s *Site) wantedSettings(r *http.Request) *settings.Settings {
	if text, err := s.wanted(r); err == nil {
		if set, err := settings.Parse([]byte(text)); err == nil {
			return set
		}
	}
	return &settings.Settings{}
}

func parameterOf(p control.Parameter, given map[string]map[string]string, services []control.Service) parameterView {
	v := parameterView{Name: visible.Line(p.Name), About: visible.Line(p.About), Type: p.Type, Default: visible.Line(p.Default)}
	for i := -1; i < len(services); i++ {
		service := ""
		if i >= 0 {
			service = services[i].Name
		}
		own, ok := given[service][p.Name]
		v.Values = append(v.Values, parameterCell{visible.Line(service), visible.Line(p.In(service)), own, ok})
	}
	return v
}

// backToPatch has a browser go on at the definition that it set.
func backToPatch(do doing) doing {
	return func(r *http.Request, v visit, in url.Values) (done, error) {
		d, err := do(r, v, in)
		if d.Back == "" && in.Get("definition") != "" {
			d.Back = "/patches/" + url.PathEscape(in.Get("definition"))
		}
		return d, err
	}
}

// editParameter gives a parameter of a definition a value, or takes it back. The
// running definition says what it takes; one that is not loaded is refused.
func (s *Site) editParameter(e *settings.Editor, in url.Values) error {
	id, service, name := in.Get("definition"), in.Get("service"), in.Get("name")
	if in.Get("default") == "yes" {
		return e.DropParameter(id, service, name)
	}
	st := s.Wire.State().Dataplane.Status
	if st == nil {
		return faulty("the dataplane has not told its definitions yet; try again in a moment")
	}
	at := slices.IndexFunc(st.Definitions, func(d control.Definition) bool { return d.ID == id })
	if at < 0 {
		return faulty("no definition %.40q is loaded", id)
	}
	parameters := st.Definitions[at].Parameters
	i := slices.IndexFunc(parameters, func(p control.Parameter) bool { return p.Name == name })
	if i < 0 {
		return faulty("%s has no parameter %.40q", id, name)
	}
	value := strings.TrimSpace(in.Get("value"))
	if err := parameters[i].Check(value); err != nil {
		return err
	}
	return e.SetParameter(id, service, name, value)
}
