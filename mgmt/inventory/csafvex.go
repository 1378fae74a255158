package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// CSAF is a CSAF 2.0 document of the profile VEX (4.5): what is known of each
// vulnerability on each server. A box in front of a product leaves the product
// affected, with a mitigation: it is not built into it. Of nothing the profile has
// no document: then it is one of the base profile, which says so.
type CSAF struct {
	Document        csafDocument        `json:"document"`
	Tree            *csafTree           `json:"product_tree,omitempty"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities,omitempty"`
}

type csafDocument struct {
	Category  string     `json:"category"`
	Version   string     `json:"csaf_version"`
	Lang      string     `json:"lang"`
	Title     string     `json:"title"`
	Notes     []csafNote `json:"notes,omitempty"`
	Publisher struct {
		Category  string `json:"category"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"publisher"`
	Tracking csafTracking `json:"tracking"`
}

type csafTracking struct {
	ID      string         `json:"id"`
	Status  string         `json:"status"`
	Version string         `json:"version"`
	Initial string         `json:"initial_release_date"`
	Current string         `json:"current_release_date"`
	History []csafRevision `json:"revision_history"`
}

type csafRevision struct {
	Date    string `json:"date"`
	Number  string `json:"number"`
	Summary string `json:"summary"`
}

type csafTree struct {
	Names []csafFull `json:"full_product_names"`
}

type csafFull struct {
	ID     string            `json:"product_id"`
	Name   string            `json:"name"`
	Helper map[string]string `json:"product_identification_helper,omitempty"`
}

type csafVulnerability struct {
	CVE          string              `json:"cve,omitempty"`
	IDs          []csafID            `json:"ids,omitempty"` // where it has another name than a CVE
	Title        string              `json:"title,omitempty"`
	Notes        []csafNote          `json:"notes"`
	Status       map[string][]string `json:"product_status"`
	Remediations []csafRemediation   `json:"remediations,omitempty"`
}

type csafID struct {
	System string `json:"system_name"`
	Text   string `json:"text"`
}

type csafNote struct {
	Category string `json:"category"`
	Text     string `json:"text"`
}

type csafRemediation struct {
	Category string   `json:"category"`
	Details  string   `json:"details"`
	Products []string `json:"product_ids"`
}

// csafStatus is the group that a state belongs to: one product is in one only.
var csafStatus = map[State]string{Exposed: "known_affected", Shadow: "known_affected", Corrected: "known_affected", Possible: "under_investigation", Patched: "fixed"}

// NewCSAF writes exposures down; box names the appliance, which is the user's.
func NewCSAF(list []Exposure, box string, now time.Time) CSAF {
	date := now.UTC().Format(time.RFC3339)
	var d CSAF
	d.Document = csafDocument{Category: "csaf_vex", Version: "2.0", Lang: "en", Title: "Servers behind " + box}
	d.Document.Publisher.Category, d.Document.Publisher.Name, d.Document.Publisher.Namespace = "user", box, "https://"+hostOf(box)
	d.Document.Tracking = csafTracking{ID: "wirepatch-" + box + "-" + now.UTC().Format("20060102150405"), Status: "final", Version: "1", Initial: date, Current: date, History: []csafRevision{{date, "1", "as known on the box at this time"}}}
	if len(list) == 0 {
		d.Document.Category, d.Document.Notes = "csaf_base", []csafNote{{"general", "No known vulnerability is known to concern a server behind the device."}}
		return d
	}
	d.Tree = &csafTree{}
	products, at := map[string]bool{}, map[string]int{}
	for _, e := range list {
		id := e.Address.String() + "/" + cmp.Or(e.Component.PURL, e.Component.Name) + "@" + e.Component.Version
		if !products[id] {
			products[id] = true
			d.Tree.Names = append(d.Tree.Names, csafFull{id, strings.TrimSpace(e.Component.Name+" "+e.Component.Version) + " on " + strings.TrimSpace(e.Server+" "+e.Address.String()), helper(e.Component)})
		}
		i, ok := at[e.CVE]
		if !ok {
			i = len(d.Vulnerabilities)
			at[e.CVE] = i
			d.Vulnerabilities = append(d.Vulnerabilities, newCSAFVulnerability(e))
		}
		d.Vulnerabilities[i].add(e, id, box)
	}
	return d
}

var reCVE = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,}$`)

func newCSAFVulnerability(e Exposure) csafVulnerability {
	v := csafVulnerability{Title: e.Title, Notes: []csafNote{}, Status: map[string][]string{}}
	if reCVE.MatchString(e.CVE) {
		v.CVE = e.CVE
		return v
	}
	system, _, _ := strings.Cut(e.CVE, "-")
	v.IDs = []csafID{{cmp.Or(system, "advisory"), cmp.Or(e.CVE, "unnamed")}}
	return v
}

// hostOf is what of a box's name can stand in an address.
func hostOf(box string) string {
	return cmp.Or(strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(box)), "-."), "wirepatch")
}

func helper(c Component) map[string]string {
	h := map[string]string{}
	if strings.HasPrefix(c.PURL, "pkg:") && c.Version != "" {
		h["purl"] = c.PURL + "@" + c.Version
	}
	if strings.HasPrefix(c.CPE, "cpe:2.3:") && strings.Count(c.CPE, ":") == 12 {
		h["cpe"] = c.CPE
	}
	return h
}

func (v *csafVulnerability) add(e Exposure, id, box string) {
	group := csafStatus[e.State]
	if slices.Contains(v.Status[group], id) {
		return
	}
	v.Status[group] = append(v.Status[group], id)
	v.Notes = append(v.Notes, csafNote{"details", id + ": " + strings.Join(e.Why, ". ") + "."})
	if group != "known_affected" {
		return
	}
	r := csafRemediation{"vendor_fix", "Install the vendor's patch.", []string{id}}
	switch {
	case e.State == Corrected:
		r.Category, r.Details = "mitigation", fmt.Sprintf("Requests through the device %s are corrected by the inline patch %s (proof: %s); paths round it are not, nor is its time without an engine where the service is forwarded then.", box, e.Definition, orNone(e.Proof))
	case e.Definition != "":
		r.Category, r.Details = "mitigation", fmt.Sprintf("The inline patch %s is on the device %s and does not correct in front of this server: switch it on.", e.Definition, box)
	}
	v.Remediations = append(v.Remediations, r)
}

// FileName is the name of a CSAF document's file, by its tracking id (5.1).
func FileName(id string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(id) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '-' {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String() + ".json"
}
