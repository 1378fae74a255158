package inventory

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// VEX is a CycloneDX 1.6 document that says of each vulnerability on each server
// whether it can be exploited.
type VEX struct {
	BOMFormat       string             `json:"bomFormat"`
	SpecVersion     string             `json:"specVersion"`
	SerialNumber    string             `json:"serialNumber"`
	Version         int                `json:"version"`
	Metadata        vexMetadata        `json:"metadata"`
	Components      []vexComponent     `json:"components"`
	Vulnerabilities []vexVulnerability `json:"vulnerabilities"`
}

type vexMetadata struct {
	Timestamp string `json:"timestamp"`
}

type vexComponent struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	CPE     string `json:"cpe,omitempty"`
}

type vexVulnerability struct {
	Ref      string      `json:"bom-ref"`
	ID       string      `json:"id"`
	Source   vexSource   `json:"source"`
	Analysis vexAnalysis `json:"analysis"`
	Affects  []vexRef    `json:"affects"`
}

type vexSource struct {
	Name string `json:"name"`
}

type vexAnalysis struct {
	State         string   `json:"state"`
	Justification string   `json:"justification,omitempty"`
	Response      []string `json:"response,omitempty"`
	Detail        string   `json:"detail"`
	FirstIssued   string   `json:"firstIssued"`
	LastUpdated   string   `json:"lastUpdated"`
}

type vexRef struct {
	Ref string `json:"ref"`
}

// NewVEX writes exposures down; box names the appliance.
func NewVEX(list []Exposure, box string, now time.Time) VEX {
	v := VEX{BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: vexMetadata{now.UTC().Format(time.RFC3339)}, Components: []vexComponent{}, Vulnerabilities: []vexVulnerability{}}
	seen := map[string]bool{}
	for i, e := range list {
		ref := fmt.Sprintf("%s/%s@%s", e.Address, cmp.Or(e.Component.PURL, e.Component.Name), e.Component.Version)
		if !seen[ref] {
			seen[ref] = true
			v.Components = append(v.Components, vexComponent{"application", ref, e.Component.Name, e.Component.Version, e.Component.PURL, e.Component.CPE})
		}
		v.Vulnerabilities = append(v.Vulnerabilities, vexVulnerability{fmt.Sprintf("v%d", i+1), e.CVE, vexSource{sourceOf(e.CVE)}, analysis(e, box, now), []vexRef{{ref}}})
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %v %v", box, now.UnixNano(), len(list)))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80 // a UUID of version 4
	v.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	return v
}

// sourceOf says whose name a vulnerability's is.
func sourceOf(name string) string {
	switch system, _, _ := strings.Cut(name, "-"); {
	case reCVE.MatchString(name):
		return "NVD"
	case system == "GHSA":
		return "GitHub"
	default:
		return cmp.Or(system, "advisory")
	}
}

// analysis claims no more than there is proof for: a box in front makes a server
// unaffected only where the definition was proved against the real patched
// software and the service stops when the engine does.
func analysis(e Exposure, box string, now time.Time) vexAnalysis {
	a := vexAnalysis{FirstIssued: e.Since.UTC().Format(time.RFC3339), LastUpdated: now.UTC().Format(time.RFC3339), Detail: strings.Join(e.Why, ". ") + "."}
	switch {
	case e.State == Patched:
		a.State, a.Response = "resolved", []string{"update"}
	case e.State == Corrected && proved(e.Proof) && e.Fail == "closed":
		a.State, a.Justification = "not_affected", "protected_at_perimeter"
		a.Detail = fmt.Sprintf("Requests through %s are corrected by %s; paths round the box are not. %s", box, e.Definition, a.Detail)
	case e.State == Corrected:
		a.State, a.Response = "exploitable", []string{"workaround_available"}
		a.Detail = fmt.Sprintf("Requests through %s are corrected by %s as long as its engine runs; paths round the box are not. %s", box, e.Definition, a.Detail)
	case e.State == Possible:
		a.State = "in_triage"
	default:
		a.State = "exploitable"
	}
	return a
}

// proved says whether a definition's proof was against real software.
func proved(proof string) bool { return proof != "" && !strings.Contains(proof, "vectors only") }
