package inventory

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// The document keeps to what the profile asks for: one status for each product,
// a remediation for each that is affected, nothing said to be built in.
func TestCSAFVEX(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var list []Exposure
	for i, s := range []State{Exposed, Possible, Shadow, Corrected, Patched} {
		e := Exposure{CVE: "CVE-2023-26125", Address: portal, Component: Component{Name: "gin", Version: string(rune('1' + i)), PURL: "pkg:golang/gin"}, State: s, Why: []string{"because"}, Proof: "real pair"}
		if s != Exposed {
			e.Definition = "WP-2023-26125"
		}
		list = append(list, e, e) // what stands there twice counts once
	}
	d := NewCSAF(list, "Rack 7", now)
	if len(d.Vulnerabilities) != 1 || len(d.Tree.Names) != 5 || d.Document.Category != "csaf_vex" || d.Document.Version != "2.0" || d.Document.Publisher.Category != "user" || d.Document.Tracking.History[0].Number != d.Document.Tracking.Version {
		t.Fatalf("%+v", d)
	}
	v := d.Vulnerabilities[0]
	seen := map[string]int{}
	for group, ids := range v.Status {
		for _, id := range ids {
			seen[id]++
			n := 0
			for _, r := range v.Remediations {
				if slices.Contains(r.Products, id) {
					n++
				}
			}
			if (group == "known_affected") != (n == 1) {
				t.Errorf("%s, %s: %d remediations", id, group, n)
			}
		}
	}
	for _, p := range d.Tree.Names {
		if seen[p.ID] != 1 {
			t.Errorf("%s is in %d groups; want one", p.ID, seen[p.ID])
		}
	}
	if len(v.Status["known_affected"]) != 3 || len(v.Status["fixed"]) != 1 || len(v.Status["under_investigation"]) != 1 || len(v.Notes) != 5 {
		t.Errorf("%+v", v)
	}
	text, err := json.Marshal(d)
	if err != nil || strings.Contains(string(text), "inline_mitigations_already_exist") || strings.Contains(string(text), "known_not_affected") {
		t.Errorf("it claims too much: %s, %v", text, err)
	}
	if got := FileName(d.Document.Tracking.ID); got != "wirepatch-rack_7-20261122100000.json" {
		t.Errorf("FileName = %q", got)
	}
	// What others would read of it, we read, too.
	back, err := ReadAdvisories(text)
	if err != nil || len(back) != 1 || back[0].CVEs[0] != "CVE-2023-26125" {
		t.Errorf("read again: %+v, %v", back, err)
	}
}
