package inventory

import (
	"net/netip"
	"slices"
	"testing"
)

// csafText is a vendor's document: a product by version, one by range, one that
// is only named, and a package within a distribution.
const csafText = `{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"Two faults in Example","publisher":{"category":"vendor","name":"Example GmbH","namespace":"https://example.com"},
"tracking":{"id":"EX-2026-001","status":"final","version":"1","initial_release_date":"2026-10-01T00:00:00Z","current_release_date":"2026-10-01T00:00:00Z","revision_history":[]}},
"product_tree":{"branches":[{"category":"vendor","name":"Example","branches":[
 {"category":"product_name","name":"Portal","branches":[
  {"category":"product_version","name":"4.1","product":{"product_id":"P41","name":"Example Portal 4.1","product_identification_helper":{"cpe":"cpe:2.3:a:example:portal:4.1:*:*:*:*:*:*:*"}}},
  {"category":"product_version","name":"4.2","product":{"product_id":"P42","name":"Example Portal 4.2","product_identification_helper":{"cpe":"cpe:2.3:a:example:portal:4.2:*:*:*:*:*:*:*"}}}]},
 {"category":"product_name","name":"Gate","branches":[
  {"category":"product_version_range","name":"vers:generic/>=2.0|<2.5","product":{"product_id":"G2","name":"Gate 2.x"}},
  {"category":"product_version_range","name":"all before the flood","product":{"product_id":"G0","name":"old Gate"}}]}]}],
 "full_product_names":[{"product_id":"LIB","name":"libexample","product_identification_helper":{"purl":"pkg:deb/debian/libexample@1.0-2?arch=amd64"}}],
 "relationships":[{"category":"default_component_of","product_reference":"LIB","relates_to_product_reference":"P41","full_product_name":{"product_id":"P41:LIB","name":"libexample in Portal"}}]},
"vulnerabilities":[{"cve":"CVE-2026-1001","title":"header","product_status":{"known_affected":["P41","G2","P41:LIB"],"fixed":["P42"]}},
 {"cve":"CVE-2026-1002","product_status":{"known_affected":["G0"],"under_investigation":["nobody"]}},
 {"ids":[{"system_name":"x","text":"y"}],"product_status":{"known_affected":["P41"]}}]}`

func TestCSAF(t *testing.T) {
	list, err := ReadAdvisories([]byte(csafText))
	if err != nil || len(list) != 2 || list[0].CVEs[0] != "CVE-2026-1001" || list[0].By != "Example GmbH" || list[0].Source != "CSAF" {
		t.Fatalf("CSAF = %+v, %v", list, err)
	}
	for _, v := range []struct {
		c    Component
		want map[string]State // by CVE
	}{
		{Component{Name: "Portal", Version: "4.1", Evidence: BySBOM}, map[string]State{"CVE-2026-1001": Exposed}},
		{Component{Name: "portal server", CPE: "cpe:2.3:a:example:portal:4.2:*:*:*:*:*:*:*", Version: "4.2", Evidence: BySBOM}, map[string]State{"CVE-2026-1001": Patched}},
		{Component{Name: "Gate", Version: "2.4.9", Evidence: BySBOM}, map[string]State{"CVE-2026-1001": Exposed, "CVE-2026-1002": Possible}},
		{Component{Name: "Gate", Version: "2.5", Evidence: BySBOM}, map[string]State{"CVE-2026-1001": Patched, "CVE-2026-1002": Possible}},
		{Component{Name: "Gate", Version: "2.4.9", Evidence: ByBanner}, map[string]State{"CVE-2026-1001": Possible, "CVE-2026-1002": Possible}},
		{Component{Name: "libexample", PURL: "pkg:deb/debian/libexample", Version: "1.0-2", Evidence: BySBOM}, map[string]State{"CVE-2026-1001": Exposed}},
		{Component{Name: "Portal", PURL: "pkg:npm/portal", Version: "4.1", Evidence: BySBOM}, nil}, // another one of this name
	} {
		got := Exposures([]Server{{Address: netip.MustParseAddr("10.0.0.1"), Components: []Component{v.c}}}, list, nil, nil)
		if len(got) != len(v.want) {
			t.Errorf("%s %s: %d exposures; want %v", v.c.Name, v.c.Version, len(got), v.want)
		}
		for _, e := range got {
			if e.State != v.want[e.CVE] {
				t.Errorf("%s %s, %s: %s; want %s, because %q", v.c.Name, v.c.Version, e.CVE, e.State, v.want[e.CVE], e.Why)
			}
		}
	}
	for _, bad := range []string{`{"document":{"csaf_version":"1.2","tracking":{"id":"x"}}}`, `{"document":{"csaf_version":"2.0"}}`, `{"document":{"csaf_version":"2.0","tracking":{"id":"x"}},"vulnerabilities":[]}`} {
		if _, err := ReadAdvisories([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestVersRange(t *testing.T) {
	for in, want := range map[string][]string{
		"vers:npm/>=1.0|<2.0|>=3.0|<3.1": {">=1.0 <2.0", ">=3.0 <3.1"}, "<2.0": {"<2.0"}, ">=1.0 <2.0": {">=1.0 <2.0"}, "vers:deb/*": {">=0"}, ">=7": {">=7"},
		"vers:generic/1.2|1.3": {"=1.2", "=1.3"}, "all": nil, "<": nil, "vers:x/!=1.0": nil, "": nil,
	} {
		if got := versRange(in); !slices.Equal(got, want) {
			t.Errorf("versRange(%q) = %q; want %q", in, got, want)
		}
	}
}

func FuzzReadAdvisories(f *testing.F) {
	for _, s := range []string{csafText, kev, osv, `{}`, `[]`, `{"document":{"csaf_version":"2.0","tracking":{"id":"x"}},"product_tree":{"branches":[{"branches":[{"branches":[{}]}]}]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ReadAdvisories(text)
		if err != nil {
			return
		}
		Exposures([]Server{{Address: netip.MustParseAddr("10.0.0.1"), Components: []Component{{Name: "Portal", Version: "4.1"}, {Name: "gin", Version: "1"}}}}, list, nil, nil)
	})
}
