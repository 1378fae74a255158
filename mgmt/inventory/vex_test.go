package inventory

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestVEXClaimsNoMoreThanIsProved(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		e                    Exposure
		state, justification string
	}{
		{Exposure{State: Patched}, "resolved", ""},
		{Exposure{State: Corrected, Proof: "real pair", Fail: "closed"}, "not_affected", "protected_at_perimeter"},
		{Exposure{State: Corrected, Proof: "real pair", Fail: "open"}, "exploitable", ""},
		{Exposure{State: Corrected, Proof: "vectors only", Fail: "closed"}, "exploitable", ""},
		{Exposure{State: Corrected, Fail: "closed"}, "exploitable", ""},
		{Exposure{State: Shadow, Proof: "real pair", Fail: "closed"}, "exploitable", ""},
		{Exposure{State: Exposed}, "exploitable", ""},
		{Exposure{State: Possible}, "in_triage", ""},
	} {
		tt.e.CVE, tt.e.Address, tt.e.Component = "CVE-2023-26125", portal, Component{Name: "gin", Version: "1.8.2"}
		v := NewVEX([]Exposure{tt.e}, "rack7", now)
		a := v.Vulnerabilities[0].Analysis
		if a.State != tt.state || a.Justification != tt.justification {
			t.Errorf("%+v: %s, %q; want %s, %q", tt.e, a.State, a.Justification, tt.state, tt.justification)
		}
		text, err := json.Marshal(v)
		if err != nil || !strings.Contains(string(text), `"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:`) || v.Vulnerabilities[0].Affects[0].Ref != v.Components[0].Ref {
			t.Errorf("the document is %s, %v", text, err)
		}
	}
}
