package inventory

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/mgmt/store"
)

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1.2.3", "1.2.3", 0}, {"1.2.3", "1.2.10", -1}, {"v1.9.0", "1.9.0", 0}, {"1.0", "1", 0}, {"1.0.0", "1", 0}, {"1.0.1", "1", 1},
		{"1.0.0-rc1", "1.0.0", -1}, {"1.0.0-rc1", "1.0.0-rc2", -1}, {"1.0.0-alpha", "1.0.0-beta", -1}, {"2.4.57-2+deb12u1", "2.4.57-2", 0},
		{"1.2-1~deb12u1", "1.2-1", -1}, {"10.0", "9.9", 1}, {"1.1.1w", "1.1.1", 1}, {"1.1.1v", "1.1.1w", -1}, {"0.2.4", "0.2.5", -1},
		{"9.4.0.v20161208", "9.4.1", -1}, {"", "1", -1}, {"007", "7", 0}, {"1.0.5", "1.1", -1},
		{"v1.2.4-0.20210101000000-abcdef012345", "v1.2.4", -1}, {"v1.2.4-0.20210101000000-abcdef012345", "v1.2.3", 1}, {"v0.0.0-20220101000000-abcdef012345", "v0.0.0-20210101000000-bcdef0123456", 1},
		{"6.0.0-preview.3", "6.0.0", -1}, {"15.0.0-experimental.1", "15.0.0", -1}, {"1.2.0-nightly", "1.2.0", -1},
	} {
		sign := func(n int) int { return min(1, max(-1, n)) }
		if got := sign(Compare(tt.a, tt.b)); got != tt.want {
			t.Errorf("Compare(%q, %q) = %d; want %d", tt.a, tt.b, got, tt.want)
		}
		if got := sign(Compare(tt.b, tt.a)); got != -tt.want {
			t.Errorf("Compare(%q, %q) = %d; want %d", tt.b, tt.a, got, -tt.want)
		}
	}
	for v, want := range map[string]bool{"4.0.0": true, "4.8.0": true, "4.8.1": false, "3.9": false, "3.29.3": true, "4.8.1-rc1": true} {
		if got := In(v, []string{">=3.10 <3.29.4", ">=4.0.0 <4.8.1"}); got != want {
			t.Errorf("In(%s) = %v; want %v", v, got, want)
		}
	}
}

const kev = `{"title":"CISA Catalog","catalogVersion":"2026.11.01","dateReleased":"2026-11-01T00:00:00Z","count":1,"vulnerabilities":[
{"cveID":"CVE-2023-26125","vendorProject":"gin","product":"gin","vulnerabilityName":"gin header","dateAdded":"2026-10-01","shortDescription":"x","requiredAction":"y","dueDate":"2026-10-22","knownRansomwareCampaignUse":"Known","notes":"","cwes":[]}]}`

const osv = `[{"id":"GHSA-3vp4-m3rf-835h","modified":"2024-01-01T00:00:00Z","published":"2023-05-04T00:00:00Z","aliases":["CVE-2023-26125"],"summary":"improper input validation in gin",
"affected":[{"package":{"ecosystem":"Go","name":"github.com/gin-gonic/gin","purl":"pkg:golang/github.com/gin-gonic/gin"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.9.0"}]}]}]},
{"id":"DSA-1","modified":"2024-01-01T00:00:00Z","upstream":["CVE-2020-1111"],"affected":[{"package":{"ecosystem":"Debian:12","name":"apache2"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.4.57-3"}]}],"versions":["2.4.57-1"]}]},
{"id":"GONE-1","modified":"2024-01-01T00:00:00Z","withdrawn":"2024-02-01T00:00:00Z"}]`

const sbom = `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:1","components":[{"type":"library","name":"gin","version":"1.8.2","purl":"pkg:golang/github.com/gin-gonic/gin@1.8.2",
"components":[{"name":"text","version":"0.3.9","cpe":"cpe:2.3:a:golang:text:0.3.9:*:*:*:*:*:*:*"}]}]}`

func TestReadFiles(t *testing.T) {
	a, err := ReadAdvisories([]byte(kev))
	if err != nil || len(a) != 1 || !a[0].Ransom || a[0].Due != "2026-10-22" {
		t.Errorf("KEV = %+v, %v", a, err)
	}
	a, err = ReadAdvisories([]byte(osv))
	if err != nil || len(a) != 3 || !a[2].Withdrawn || a[0].Affects[0].Ranges[0] != ">=0 <1.9.0" || a[1].CVEs[0] != "CVE-2020-1111" || !a[1].Affects[0].Unknown {
		t.Errorf("OSV = %+v, %v; want three, one of them withdrawn", a, err)
	}
	c, err := ReadCycloneDX([]byte(sbom))
	if err != nil || len(c) != 2 || c[0].Evidence != BySBOM || c[1].Name != "text" {
		t.Errorf("CycloneDX = %+v, %v; want nested components too", c, err)
	}
	for name, text := range map[string]string{"semicolons": "address;name;product\r\n10.77.0.2;\"Büro; Nord\";gin\r\n", "tabs": "address\tgroup\tname\tproduct\n10.77.0.2\t\tBüro; Nord\tgin\n",
		"UTF-16": "\xff\xfea\x00d\x00d\x00r\x00e\x00s\x00s\x00,\x00n\x00a\x00m\x00e\x00,\x00p\x00r\x00o\x00d\x00u\x00c\x00t\x00\n\x001\x000\x00.\x007\x007\x00.\x000\x00.\x002\x00,\x00B\x00\xfc\x00r\x00o\x00;\x00 \x00N\x00o\x00r\x00d\x00,\x00g\x00i\x00n\x00"} {
		if s, err := ReadCSV([]byte(text), "x"); err != nil || len(s) != 1 || s[0].Name != "Büro; Nord" || s[0].Components[0].Name != "gin" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	s, err := ReadCSV([]byte("\xef\xbb\xbfAddress,name, product ,version\r\n10.77.0.2,portal,gin,1.8.2\r\n\"fd77::2\",portal6,,\r\n"), "anna")
	if err != nil || len(s) != 2 || s[0].Components[0].Source != "anna" || len(s[1].Components) != 0 {
		t.Errorf("CSV = %+v, %v", s, err)
	}
	for _, bad := range []string{"", "name\nx\n", "address,colour\n1.2.3.4,red\n", "address\n10.0.0.300\n", "address\n\"1.2.3.4\n", "address,name\n10.0.0.1,B\xfcro\n", "\xff\xfe"} {
		if _, err := ReadCSV([]byte(bad), "x"); !errors.Is(err, ErrInput) {
			t.Errorf("ReadCSV(%q) = %v; want %v", bad, err, ErrInput)
		}
	}
	for _, bad := range []string{"", "{}", "[1]", `{"catalogVersion":"1","vulnerabilities":[{"cveID":"<script>"}]}`, `{"bomFormat":"SPDX"}`} {
		if _, err := ReadAdvisories([]byte(bad)); err == nil {
			t.Errorf("ReadAdvisories(%q) = nil; want an error", bad)
		}
		if _, err := ReadCycloneDX([]byte(bad)); err == nil {
			t.Errorf("ReadCycloneDX(%q) = nil; want an error", bad)
		}
	}
}

func open(t testing.TB) (*Store, *time.Time) {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{Schema, FoundSchema, StandingSchema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return &Store{DB: db, Now: func() time.Time { return now }}, &now
}

var portal = netip.MustParseAddr("10.77.0.2")

func TestStore(t *testing.T) {
	s, now := open(t)
	components, _ := ReadCycloneDX([]byte(sbom))
	if err := s.Put([]Server{{Address: portal, Name: "portal", Group: "web", Components: components}}); err != nil {
		t.Fatal(err)
	}
	first := *now
	*now = now.Add(48 * time.Hour)
	components[0].Version = "1.9.1"
	if err := s.Put([]Server{{Address: portal, Components: components}}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Servers()
	if err != nil || len(all) != 1 || all[0].Name != "portal" || len(all[0].Components) != 2 {
		t.Fatalf("Servers = %+v, %v; want the one, its name kept", all, err)
	}
	if c := all[0].Components; c[0].Version != "1.9.1" || !c[0].Seen.Equal(*now) || !c[1].Seen.Equal(first) {
		t.Errorf("components = %+v; want the new version of now, the other as it was", c)
	}
	if err := s.Put([]Server{{}}); !errors.Is(err, ErrInput) {
		t.Errorf("a server without address: %v", err)
	}
	if err := errors.Join(s.Remove(portal)); err != nil {
		t.Error(err)
	}
	if err := s.Remove(portal); !errors.Is(err, ErrNone) {
		t.Errorf("removed twice: %v; want %v", err, ErrNone)
	}
}

func gin(mode string) Definition {
	return Definition{Definition: control.Definition{ID: "WP-2023-26125", Title: "gin redirects", Vulnerabilities: []string{"CVE-2023-26125"}, Mode: mode},
		CPE: "cpe:2.3:a:gin-gonic:gin", Product: "gin", Affected: []string{"<1.9.0"}, Proof: "real pair"}
}

// What is said of one server, by its version and by what the wire does.
func TestExposures(t *testing.T) {
	advisories, err := ReadAdvisories([]byte(osv))
	if err != nil {
		t.Fatal(err)
	}
	kevList, _ := ReadAdvisories([]byte(kev))
	advisories = append(advisories, kevList...)
	wire := func(address string) *control.Status {
		return &control.Status{Services: []control.Service{{Name: "other", Address: "10.0.0.0/24"}, {Name: "portal", Address: address}}}
	}
	aside := gin("correct")
	aside.Error = "test 2 failed"
	own := gin("correct")
	own.Services = map[string]string{"portal": "off"}
	for name, tt := range map[string]struct {
		version string
		d       []Definition
		status  *control.Status
		want    State
		advice  string
		why     string
	}{
		"corrected":         {"1.8.2", []Definition{gin("correct")}, wire("10.77.0.2"), Corrected, "patch", "is correct in service portal on the running wire; proof: real pair"},
		"by prefix":         {"1.8.2", []Definition{gin("correct")}, wire("10.77.0.0/24"), Corrected, "patch", ""},
		"shadow":            {"1.8.2", []Definition{gin("shadow")}, wire("10.77.0.2"), Shadow, "switch on", ""},
		"off":               {"1.8.2", []Definition{gin("off")}, wire("10.77.0.2"), Exposed, "switch on", ""},
		"off in it":         {"1.8.2", []Definition{own}, wire("10.77.0.2"), Exposed, "switch on", ""},
		"not in front":      {"1.8.2", []Definition{gin("correct")}, wire("10.77.0.3"), Exposed, "patch", "no protected service has this server's address"},
		"set aside":         {"1.8.2", []Definition{aside}, wire("10.77.0.2"), Exposed, "patch", "set aside: test 2 failed"},
		"wire away":         {"1.8.2", []Definition{gin("correct")}, nil, Exposed, "patch", "does not answer"},
		"no definition":     {"1.8.2", nil, wire("10.77.0.2"), Exposed, "patch", "there is no inline patch"},
		"patched":           {"1.9.0", []Definition{gin("correct")}, wire("10.77.0.2"), Patched, "retire", "neither listed nor in"},
		"patched, off":      {"1.9.0", []Definition{gin("off")}, wire("10.77.0.2"), Patched, "", ""},
		"version not known": {"", nil, wire("10.77.0.2"), Possible, "find out", "is not known"},
	} {
		s := []Server{{Address: portal, Components: []Component{{Name: "gin", Version: tt.version, PURL: "pkg:golang/github.com/gin-gonic/gin", Evidence: BySBOM}}}}
		got := Exposures(s, advisories, tt.d, tt.status)
		if len(got) != 1 || got[0].State != tt.want || got[0].Advice != tt.advice || !strings.Contains(strings.Join(got[0].Why, "\n"), tt.why) {
			t.Errorf("%s: %+v; want %s, advice %q, because %q", name, got, tt.want, tt.advice, tt.why)
		}
		if len(got) == 1 && (!got[0].KEV || !got[0].Ransom || got[0].CVE != "CVE-2023-26125") {
			t.Errorf("%s: %+v; want it found in CISA's catalogue", name, got[0])
		}
	}
	debian := []Server{{Address: portal, Components: []Component{{Name: "apache2", Version: "2.4.57-2", Evidence: ByWord}}}}
	if got := Exposures(debian, advisories, nil, nil); len(got) != 1 || got[0].State != Possible {
		t.Errorf("a distribution's version whose order is not known: %+v; want %s", got, Possible)
	}
	stranger := []Server{{Address: portal, Components: []Component{{Name: "gin", Version: "1.8.2", PURL: "pkg:npm/gin"}}}}
	if got := Exposures(stranger, advisories, nil, nil); len(got) != 0 {
		t.Errorf("another package of the same name: %+v; want nothing", got)
	}
}

func TestProductsOfTheDefinitionsHere(t *testing.T) {
	all := Products("../../definitions")
	d, ok := all["WP-2023-26125"]
	if !ok || d.CPE != "cpe:2.3:a:gin-gonic:gin" || !In("1.8.2", d.Affected) || In("1.9.0", d.Affected) {
		t.Errorf("Products = %+v; want gin before 1.9.0", d)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{kev, osv, sbom, "address,name\n10.0.0.1,x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, _ := ReadAdvisories(text)
		c, _ := ReadCycloneDX(text)
		s, _ := ReadCSV(text, "x")
		s = append(s, Server{Address: portal, Components: c})
		Exposures(s, a, []Definition{gin("correct")}, nil)
	})
}

func FuzzCompare(f *testing.F) {
	f.Add("1.2.3-rc1", "1.2.3", ">=1 <2")
	f.Fuzz(func(t *testing.T, a, b, r string) {
		if x, y := Compare(a, b), Compare(b, a); (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Errorf("Compare(%q, %q) = %d, the other way %d", a, b, x, y)
		}
		In(a, []string{r})
	})
}

// Events stand in any order, and a range that is open is not begun anew.
func TestEventsInAnyOrder(t *testing.T) {
	for events, want := range map[string]string{
		`{"introduced":"0"},{"fixed":"2.2"},{"introduced":"3.0"},{"fixed":"3.1"}`:           ">=0 <2.2, >=3.0 <3.1",
		`{"introduced":"3.0"},{"introduced":"0"},{"fixed":"3.1"},{"fixed":"2.2"}`:           ">=0 <2.2, >=3.0 <3.1",
		`{"fixed":"3.1"},{"introduced":"1.0"},{"introduced":"2.0"}`:                         ">=1.0 <3.1",
		`{"last_affected":"2.9"},{"introduced":"2.0"},{"introduced":"1.0"},{"fixed":"1.5"}`: ">=1.0 <1.5, >=2.0 <=2.9",
	} {
		a, err := ReadAdvisories([]byte(`{"id":"CVE-2026-1000","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[` + events + `]}]}]}`))
		if err != nil || strings.Join(a[0].Affects[0].Ranges, ", ") != want {
			t.Errorf("%s: %+v, %v; want %s", events, a, err, want)
		}
	}
}

// What was taken back says nothing of any server any more.
func TestWithdrawn(t *testing.T) {
	s, _ := open(t)
	record := func(more string) []Advisory {
		list, err := ReadAdvisories([]byte(`{"id":"CVE-2026-1000"` + more + `,"affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["1.0"]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for more, want := range map[string]int{"": 1, `,"withdrawn":"2026-02-01T00:00:00Z"`: 0} {
		if err := errors.Join(s.PutAdvisories(record("")), s.PutAdvisories(record(more))); err != nil {
			t.Fatal(err)
		}
		if all, err := s.Advisories(); err != nil || len(all) != want {
			t.Errorf("with %q there are %+v, %v; want %d", more, all, err, want)
		}
	}
}

// An advisory that names no affected version, but only fixed ones or commits, does not
// say that any other is fixed.
func TestNothingNamedAsAffected(t *testing.T) {
	git, err := ReadAdvisories([]byte(`{"id":"CVE-2026-1000","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"GIT","repo":"https://example.com/x","events":[{"introduced":"0"},{"fixed":"abcdef"}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	csaf, err := ReadAdvisories([]byte(`{"document":{"csaf_version":"2.0","title":"x","tracking":{"id":"A-1"}},"product_tree":{"full_product_names":[{"product_id":"p","name":"x","product_identification_helper":{"purl":"pkg:npm/x@2.0"}}]},
		"vulnerabilities":[{"cve":"CVE-2026-1000","product_status":{"fixed":["p"]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what    string
		list    []Advisory
		version string
		want    State
	}{{"commits", git, "1.0", Possible}, {"fixed versions", csaf, "1.0", Possible}, {"fixed versions", csaf, "2.0", Patched}} {
		s := []Server{{Address: portal, Components: []Component{{Name: "x", Version: tt.version, PURL: "pkg:npm/x", Evidence: BySBOM}}}}
		if got := Exposures(s, tt.list, nil, nil); len(got) != 1 || got[0].State != tt.want {
			t.Errorf("%s, of version %s: %+v; want %s", tt.what, tt.version, got, tt.want)
		}
	}
}
