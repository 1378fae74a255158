package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/mgmt/visible"
)

// edit makes an action of an edit of the draft.
func (s *Site) edit(what func(url.Values) string, do func(e *settings.Editor, in url.Values) error) doing {
	return s.step(func(r *http.Request, v visit, in url.Values) (done, error) {
		return done{}, s.Changes.Edit(r.Context(), whoOf(r, v), what(in), func(text string) (string, error) {
			e := settings.Edit(text)
			if err := do(e, in); err != nil {
				return "", err
			}
			return e.String(), nil
		})
	})
}

func ofName(prefix, key string) func(url.Values) string {
	return func(in url.Values) string { return prefix + visible.Line(in.Get(key)) }
}

func editMode(e *settings.Editor, in url.Values) error {
	mode := in.Get("mode")
	if mode == "default" {
		mode = ""
	}
	return e.SetMode(in.Get("definition"), in.Get("service"), mode)
}

// editService leaves what a service runs as it is where nothing is said of it.
func editService(e *settings.Editor, in url.Values) error {
	if err := e.SetService(in.Get("name"), in.Get("address"), in.Get("port"), in.Get("protocol"), in.Get("fail"), in.Get("exceed")); err != nil {
		return err
	}
	if !in.Has("product") {
		return nil
	}
	return e.Set("service "+in.Get("name"), "product", strings.TrimSpace(in.Get("product")))
}

func addService(e *settings.Editor, in url.Values) error {
	if e.Has("service " + in.Get("name")) {
		return faulty("there is a service of this name already")
	}
	return editService(e, in)
}

func removeService(e *settings.Editor, in url.Values) error {
	if !e.Has("service " + in.Get("name")) {
		return faulty("there is no service of this name")
	}
	e.RemoveService(in.Get("name"))
	return nil
}

func editAppliance(e *settings.Editor, in url.Values) error {
	if err := settings.CheckHost(in.Get("hostname")); err != nil {
		return err
	}
	if err := e.Set("appliance", "hostname", in.Get("hostname")); err != nil {
		return err
	}
	if err := e.Set("wire", "link_propagation", in.Get("link_propagation")); err != nil {
		return err
	}
	return given(e, "wire", in, "fail")
}

// editFirmware says where updates come from and when they are put in.
func editFirmware(e *settings.Editor, in url.Values) error {
	for _, key := range []string{"repository", "proxy"} {
		if in.Has(key) {
			if err := e.SetAddress("firmware", key, strings.TrimSpace(in.Get(key))); err != nil {
				return err
			}
		}
	}
	return given(e, "firmware", in, "every", "install", "window")
}

func editTime(e *settings.Editor, in url.Values) error {
	return given(e, "time", in, "servers")
}

// given sets those keys of a section that are given; an empty value takes the
// key's line away.
func given(e *settings.Editor, section string, in url.Values, keys ...string) error {
	for _, key := range keys {
		if in.Has(key) {
			if err := e.Set(section, key, strings.TrimSpace(in.Get(key))); err != nil {
				return err
			}
		}
	}
	return nil
}

func editManagement(e *settings.Editor, in url.Values) error {
	static := in.Get("mode") == "static"
	for _, key := range []string{"mode", "address", "gateway", "dns"} {
		value := in.Get(key)
		if key != "mode" && !static {
			value = ""
		}
		if err := e.Set("management", key, value); err != nil {
			return err
		}
	}
	return nil
}

func editSSH(e *settings.Editor, in url.Values) error {
	return yesOrNo(e, "management", "ssh", in)
}

func editBypass(e *settings.Editor, in url.Values) error {
	return yesOrNo(e, "wire", "bypass", in)
}

// yesOrNo sets a key that is no where the file says nothing.
func yesOrNo(e *settings.Editor, section, key string, in url.Values) error {
	switch in.Get(key) {
	case "yes":
		return e.Set(section, key, "yes")
	case "no":
		return e.Set(section, key, "")
	}
	return faulty("%s is yes or no", key)
}

// editWhole takes a whole file, typed or from the history.
func (s *Site) editWhole(r *http.Request, v visit, in url.Values) (done, error) {
	text := in.Get("text")
	if n, err := strconv.Atoi(in.Get("revision")); err == nil {
		all, err := s.Changes.Keeper.History(r.Context())
		if err != nil {
			return done{}, err
		}
		i := slices.IndexFunc(all, func(h keeper.Revision) bool { return h.Number == n })
		if i < 0 {
			return done{}, faulty("there are no settings of this number any more")
		}
		text = all[i].Text
	}
	return done{}, s.Changes.Edit(r.Context(), whoOf(r, v), "appliance.ini as a whole", func(string) (string, error) { return normalLines(text), nil })
}

// normalLines makes lines end as the file's do: browsers send CR LF.
func normalLines(text string) string {
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

// settingsView is the page of settings.
type settingsView struct {
	Problem                     string
	Hostname                    string
	Link, SSH, Bypass           bool
	Certificate                 certificateView
	Mode, Address, Gateway, DNS string
	Services                    []serviceEdit
	Protocols, Products         []string
	Text                        string
	History                     []revisionRow
	Approvals                   int
	Time, Fail                  string
	Updates                     updatesEdit
}

// updatesEdit is where updates come from, and when they are put in.
type updatesEdit struct{ Repository, Proxy, Every, Install, Window string }

func updatesEditOf(set *settings.Settings, v visit) updatesEdit {
	f := set.Firmware
	return updatesEdit{v.masked(f.Repository), v.masked(f.Proxy), settings.Short(f.Every), f.Install, f.Window.String()}
}

type serviceEdit struct{ Name, Address, Port, Protocol, Fail, Exceed, Product string }

type revisionRow struct {
	Number      int
	Ended       moment
	Who, Reason string
}

// wanted is the draft's text, or what is in force where nothing is pending.
func (s *Site) wanted(r *http.Request) (text string, err error) {
	d, err := s.Changes.Draft()
	if err == nil && d != nil {
		return d.Text, nil
	}
	now, err := s.Changes.Keeper.Current(r.Context())
	return now.Text, err
}

func (s *Site) settingsPage(w http.ResponseWriter, r *http.Request, v visit) {
	view := settingsView{Protocols: settings.Protocols}
	text, err := s.wanted(r)
	if err == nil {
		view.Text = v.masked(text)
		var set *settings.Settings
		if set, err = settings.Parse([]byte(text)); err == nil {
			view.fill(set)
			view.Updates = updatesEditOf(set, v)
		}
	}
	if err != nil {
		view.Problem = visible.Line(err.Error())
	}
	if now, err := s.Exposures.View(); err == nil {
		view.Products = now.Products
	}
	view.Certificate = s.certificateView()
	view.Approvals, _ = s.Changes.Approvals()
	if all, err := s.Changes.Keeper.History(r.Context()); err == nil {
		for _, h := range all {
			view.History = append(view.History, revisionRow{h.Number, at(h.Ended), visible.Line(h.Who), visible.Line(h.Reason)})
		}
	}
	s.show(w, v, http.StatusOK, "settings", "Settings", view)
}

func (v *settingsView) fill(set *settings.Settings) {
	v.Hostname, v.Link, v.Mode = set.Hostname, set.Wire.LinkPropagation, set.Management.Mode
	v.SSH, v.Bypass, v.Fail = set.Management.SSH, set.Wire.Bypass, set.Wire.Fail
	v.Time = strings.Join(set.Time.Servers, ", ")
	if m := set.Management; m.Mode == "static" {
		v.Address = m.Address.String()
		if m.Gateway.IsValid() {
			v.Gateway = m.Gateway.String()
		}
		for i, d := range m.DNS {
			if i > 0 {
				v.DNS += ", "
			}
			v.DNS += d.String()
		}
	}
	for _, sv := range set.Services {
		address := sv.Address.String()
		if sv.Address.IsSingleIP() {
			address = sv.Address.Addr().String()
		}
		v.Services = append(v.Services, serviceEdit{sv.Name, address, strconv.Itoa(int(sv.Port)), sv.Protocol, sv.Fail, sv.Exceed, strings.Join(sv.Products, ", ")})
	}
}

// apiSettings answers with the settings in force and the ones before.
func (s *Site) apiSettings(w http.ResponseWriter, r *http.Request, v visit) {
	now, err1 := s.Changes.Keeper.Current(r.Context())
	all, err2 := s.Changes.Keeper.History(r.Context())
	for _, err := range []error{err1, err2} {
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	now.Text = v.masked(now.Text)
	writeJSON(w, http.StatusOK, SettingsInfo{now, v.maskedRevisions(all)})
}

// SettingsInfo is the answer to GET /api/v1/settings.
type SettingsInfo struct {
	Current keeper.State      `json:"current"`
	History []keeper.Revision `json:"history"`
}
