package inventory

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
)

func nginxAt(version string, at time.Time) control.Found {
	return control.Found{Address: portal, Port: 80, Protocol: "http", First: at, Last: at, Names: []string{"portal.example"},
		Software: []control.FoundSoftware{{Name: "gin", Version: version, Evidence: "Server: gin/" + version, Seen: at}}}
}

// What the wire finds is kept over restarts of the dataplane, taken in with one
// step, and followed from then on.
func TestFound(t *testing.T) {
	s, now := open(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first := *now
	must(s.PutFound([]control.Found{nginxAt("1.8.2", first), {Address: netip.MustParseAddr("10.77.0.9"), Port: 22, First: first, Last: first}}))
	*now = now.Add(time.Hour)
	must(s.PutFound([]control.Found{nginxAt("1.8.2", *now)})) // another dataplane process has not seen the other one yet
	all, err := s.Found()
	if err != nil || len(all) != 2 || !all[0].First.Equal(first) || !all[0].Software[0].Seen.Equal(first) {
		t.Fatalf("found = %+v, %v; want both, since the first time", all, err)
	}
	if list, _ := s.Servers(); len(list) != 0 {
		t.Errorf("in the inventory without having been taken: %+v", list)
	}
	must(s.Take(portal))
	if err := s.Take(netip.MustParseAddr("10.1.1.1")); err != ErrNone {
		t.Errorf("a server that was not found is taken: %v", err)
	}
	list, _ := s.Servers()
	if len(list) != 1 || list[0].Name != "portal.example" || len(list[0].Components) != 1 || list[0].Components[0].Evidence != ByBanner || list[0].Components[0].Version != "1.8.2" {
		t.Fatalf("taken: %+v", list)
	}
	*now = now.Add(time.Hour)
	must(s.PutFound([]control.Found{nginxAt("1.9.1", *now)}))
	if list, _ = s.Servers(); list[0].Components[0].Version != "1.9.1" || !list[0].Components[0].Seen.Equal(*now) {
		t.Errorf("another version on the wire: %+v", list[0].Components)
	}
	revision := s.Revision()
	must(s.PutFound([]control.Found{nginxAt("1.9.1", *now)}))
	if s.Revision() != revision {
		t.Error("what is not new was written")
	}
	many := make([]control.Found, maxFound+50)
	for i := range many {
		many[i] = control.Found{Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Port: 1, Last: now.Add(time.Duration(i) * time.Second)}
	}
	must(s.PutFound(many))
	if all, _ = s.Found(); len(all) != maxFound {
		t.Errorf("%d services are kept; want %d", len(all), maxFound)
	}
}

// The better evidence counts; newer evidence of another version is not ignored.
func TestEvidenceAgainstEvidence(t *testing.T) {
	old, new := time.Unix(1000, 0), time.Unix(2000, 0)
	d := []Definition{gin("off")}
	for name, v := range map[string]struct {
		list []Component
		want State
	}{
		"an SBOM says that it is fixed, a banner the same version": {[]Component{{Name: "gin", Version: "1.9.1", Evidence: BySBOM, Seen: old}, {Name: "gin", Version: "1.9.1", Evidence: ByBanner, Seen: new}}, Patched},
		"an older banner against an SBOM":                          {[]Component{{Name: "gin", Version: "1.9.1", Evidence: BySBOM, Seen: new}, {Name: "gin", Version: "1.8.2", Evidence: ByBanner, Seen: old}}, Patched},
		"a newer banner against an SBOM":                           {[]Component{{Name: "gin", Version: "1.9.1", Evidence: BySBOM, Seen: old}, {Name: "gin", Version: "1.8.2", Evidence: ByBanner, Seen: new}}, Possible},
		"a banner alone: the fix may have been taken back":         {[]Component{{Name: "gin", Version: "1.8.2", Evidence: ByBanner, Seen: old}}, Possible},
		"a banner alone says that it is fixed":                     {[]Component{{Name: "gin", Version: "1.9.1", Evidence: ByBanner, Seen: old}}, Patched},
		"somebody's word against what the server answered":         {[]Component{{Name: "gin", Version: "1.8.2", Evidence: ByWord, Seen: old}, {Name: "gin", Version: "1.9.1", Evidence: ByCheck, Seen: new}}, Patched},
		"a later word against what the server answered":            {[]Component{{Name: "gin", Version: "1.8.2", Evidence: ByWord, Seen: new}, {Name: "gin", Version: "1.9.1", Evidence: ByCheck, Seen: old}}, Exposed},
		"an SBOM says that it is affected, whatever a banner says": {[]Component{{Name: "gin", Version: "1.8.2", Evidence: BySBOM, Seen: new}, {Name: "gin", Version: "1.9.1", Evidence: ByBanner, Seen: old}}, Exposed},
	} {
		for range 2 { // in either order
			slices.Reverse(v.list)
			got := Exposures([]Server{{Address: portal, Components: v.list}}, nil, d, &control.Status{})
			if len(got) != 1 || got[0].State != v.want {
				t.Errorf("%s: %+v; want %s", name, got, v.want)
			}
		}
	}
}

// tracked is a tracker over a store with gin 1.8.2 on the portal.
func tracked(t testing.TB) (*Tracker, *control.Status, *time.Time) {
	t.Helper()
	s, now := open(t)
	if err := s.Put([]Server{{Address: portal, Components: []Component{{Name: "gin", Version: "1.8.2", Evidence: BySBOM}}}}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := "id: WP-2023-26125\nproof: real pair\nproduct:\n  cpe: cpe:2.3:a:gin-gonic:gin\n  affected: ['<1.9.0']\n"
	if err := os.WriteFile(filepath.Join(folder, "a.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	st := &control.Status{Services: []control.Service{{Name: "web", Address: portal.String(), Port: 80}},
		Definitions: []control.Definition{{ID: "WP-2023-26125", Vulnerabilities: []string{"CVE-2023-26125"}, Mode: "off"}}}
	return &Tracker{Store: s, Definitions: folder, Now: s.Now, Wire: func() (*control.Status, bool) { c := *st; return &c, st.Version != "away" }}, st, now
}

// An inline patch that is switched off before the server is patched is named.
func TestSwitchedOffTooEarly(t *testing.T) {
	tr, st, now := tracked(t)
	step := func(mode string) Exposure {
		t.Helper()
		*now = now.Add(24 * time.Hour)
		st.Definitions = []control.Definition{{ID: "WP-2023-26125", Vulnerabilities: []string{"CVE-2023-26125"}, Mode: mode}}
		if err := tr.Keep(); err != nil {
			t.Fatal(err)
		}
		v, err := tr.View()
		if err != nil || len(v.Exposures) != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		return v.Exposures[0]
	}
	for i, v := range []struct {
		mode, advice string
		state        State
		early        bool
	}{
		{"off", "switch on", Exposed, false}, {"correct", "patch", Corrected, false}, {"off", "switch on again", Exposed, true}, {"off", "switch on again", Exposed, true},
		{"shadow", "switch on again", Shadow, true}, {"correct", "patch", Corrected, false}, {"off", "switch on again", Exposed, true},
	} {
		if e := step(v.mode); e.State != v.state || e.Advice != v.advice || e.Early != v.early {
			t.Errorf("step %d, %s: %s, %q, early %t; want %+v", i, v.mode, e.State, e.Advice, e.Early, v)
		}
	}
	// What was kept says so after a restart, too.
	again := &Tracker{Store: tr.Store, Definitions: tr.Definitions, Wire: tr.Wire, Now: tr.Now}
	if v, err := again.View(); err != nil || !v.Exposures[0].Early || !strings.Contains(strings.Join(v.Exposures[0].Why, " "), "too early") {
		t.Errorf("after a restart: %+v, %v", v, err)
	}
	if err := tr.Store.Put([]Server{{Address: portal, Components: []Component{{Name: "gin", Version: "1.9.1", Evidence: BySBOM}}}}); err != nil {
		t.Fatal(err)
	}
	if e := step("off"); e.State != Patched || e.Early || e.Advice != "" {
		t.Errorf("patched: %+v", e)
	}
	if e := step("correct"); e.Advice != "retire" {
		t.Errorf("patched, and corrected: %+v; want it to retire", e)
	}
	history, err := tr.Store.History(now.Add(time.Hour))
	var states []State
	for _, h := range history {
		states = append(states, h.State)
	}
	want := []State{Exposed, Corrected, early, Corrected, early, Patched}
	if err != nil || !slices.Equal(states, want) {
		t.Errorf("history = %v, %v; want %v", states, err, want)
	}
}

// The view is worked out once, until something that it depends on has changed.
func TestViewIsKept(t *testing.T) {
	tr, st, _ := tracked(t)
	last, err := tr.View()
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, want bool) {
		t.Helper()
		v, err := tr.View()
		if err != nil || (v == last) != want {
			t.Errorf("%s: the same view: %t, %v; want %t", what, v == last, err, want)
		}
		last = v
	}
	same("nothing", true)
	st.Definitions[0].Corrections++
	same("a correction", true)
	st.Version = "away"
	same("the dataplane is away", false)
	if last.Exposures[0].State != Exposed || !strings.Contains(strings.Join(last.Exposures[0].Why, " "), "does not answer") {
		t.Errorf("away: %+v", last.Exposures)
	}
	if err := tr.Keep(); err != nil || len(tr.standing) != 0 {
		t.Errorf("while the dataplane is away %d states were written down, %v", len(tr.standing), err)
	}
	st.Version = ""
	same("it is back", false)
	if err := tr.Store.PutAdvisories([]Advisory{{ID: "CVE-2023-26125", CVEs: []string{"CVE-2023-26125"}, Source: "CISA KEV"}}); err != nil {
		t.Fatal(err)
	}
	same("an advisory", false)
	if !last.Exposures[0].KEV || last.Advisories != 1 {
		t.Errorf("%+v", last)
	}
	text, _ := os.ReadFile(filepath.Join(tr.Definitions, "a.yaml"))
	if err := os.WriteFile(filepath.Join(tr.Definitions, "a.yaml"), append(text, "# and more\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	tr.looked = tr.looked.Add(-stampLife) // a second later
	same("another pack", false)
	same("nothing more", true)
}

// BenchmarkView works out what 200 servers with 200 packages each are open to, by
// 50,000 advisories.
func BenchmarkView(b *testing.B) {
	tr, _, _ := tracked(b)
	for i := range 100 {
		var list []Advisory
		for j := range 500 {
			n := i*500 + j
			list = append(list, Advisory{ID: fmt.Sprintf("CVE-2020-%d", 10000+n), CVEs: []string{fmt.Sprintf("CVE-2020-%d", 10000+n)}, Source: "OSV", Affects: []Affect{{Name: fmt.Sprintf("package%d", n%5000), Ecosystem: "npm", Ranges: []string{">=0 <2"}}}})
		}
		if err := tr.Store.PutAdvisories(list); err != nil {
			b.Fatal(err)
		}
	}
	var servers []Server
	for i := range 200 {
		v := Server{Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
		for j := range 200 {
			v.Components = append(v.Components, Component{Name: fmt.Sprintf("package%d", (i*7+j)%5000), Version: fmt.Sprint(1 + j%3), Evidence: BySBOM})
		}
		servers = append(servers, v)
	}
	if err := tr.Store.Put(servers); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tr.Store.changed()
		v, err := tr.View()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(v.Exposures)), "exposures")
	}
}
