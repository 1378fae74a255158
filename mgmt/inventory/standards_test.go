package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestStandards has what is handed out judged by the standards' own schemas and
// rules: CycloneDX 1.6, and CSAF 2.0 with the mandatory tests of its section 6.1.
func TestStandards(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 123, time.FixedZone("", 3600))
	var all []Exposure
	for i, s := range []State{Exposed, Possible, Shadow, Corrected, Patched} {
		for j, cve := range []string{"CVE-2023-26125", "CVE-2022-1996", "GHSA-6x33-4w4g-3g36"} {
			for k, c := range []Component{{Name: "gin", Version: "1.8.2", PURL: "pkg:golang/github.com/gin-gonic/gin"}, {Name: "<b>&\"Ünïcode\" 产品", Version: ""}, {Name: "apache2", Version: "2.4.57-2+deb12u1", PURL: "pkg:deb/debian/apache2"}} {
				e := Exposure{CVE: cve, Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(9*i + 3*j + k)}), Server: "old <portal>", Component: c, State: s, Why: []string{"because \\ it is so"}, Advice: "upgrade", Proof: []string{"", "vectors only", "real pair"}[k], Fail: []string{"open", "closed"}[j%2], Since: now}
				if s != Exposed {
					e.Definition = "WP-2023-26125"
				}
				all = append(all, e, e)
			}
		}
	}
	var docs bytes.Buffer
	names := []string{}
	add := func(name string, doc any) {
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		docs.Write(append(text, '\n'))
		names = append(names, name)
	}
	lists := map[string][]Exposure{"all states": all, "nothing": nil, "one": all[:1]}
	for i, s := range []State{Exposed, Possible, Shadow, Corrected, Patched} {
		lists["only "+string(s)] = all[i*18 : (i+1)*18]
	}
	for name, list := range lists {
		add("CycloneDX VEX of "+name, NewVEX(list, "rack7", now))
		add("CSAF of "+name, NewCSAF(list, "Rack 7", now))
	}
	// The judge must be able to find fault.
	vex, csaf := NewVEX(all, "rack7", now), NewCSAF(all, "Rack 7", now)
	vex.Vulnerabilities[0].Analysis.State = "fine"
	csaf.Tree.Names = append(csaf.Tree.Names, csaf.Tree.Names[0])
	add("CycloneDX with a fault", vex)
	add("CSAF with a fault", csaf)

	node := exec.CommandContext(t.Context(), "node", "testdata/standards.mjs")
	node.Stdin = &docs
	said, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if end := fmt.Sprintf("%d documents", len(names)); lines[len(lines)-1] != end {
		t.Fatalf("it ends with %q; want %q", lines[len(lines)-1], end)
	}
	found := map[string]bool{}
	for _, line := range lines[:len(lines)-1] {
		var n int
		if _, err := fmt.Sscan(line, &n); err != nil || n < 1 || n > len(names) {
			t.Fatalf("it says %q", line)
		}
		name := names[n-1]
		found[name] = true
		if !strings.HasSuffix(name, "with a fault") {
			t.Errorf("%s: %s", name, line)
		}
	}
	for _, name := range []string{"CycloneDX with a fault", "CSAF with a fault"} {
		if !found[name] {
			t.Errorf("%s is taken for good", name)
		}
	}
}
