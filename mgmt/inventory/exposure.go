package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"wirepatch/dataplane/control"
)

// State of a vulnerability on a server, worst first.
type State string

// The states. "possible" is as much as can be said where the version is not
// known, or its order is not.
const (
	Exposed   State = "exposed"   // affected, and nothing stands in
	Possible  State = "possible"  // perhaps affected, and nothing stands in
	Shadow    State = "shadow"    // an inline patch watches, and changes nothing
	Corrected State = "corrected" // an inline patch stands in, on the running wire
	Patched   State = "patched"   // the version is one that is not affected
)

var worst = []State{Exposed, Possible, Shadow, Corrected, Patched}

// Definition is an inline patch, with the product that it is for.
type Definition struct {
	control.Definition
	CPE      string
	Product  string
	Protocol string
	Affected []string
	Proof    string
}

// Exposure is one vulnerability on one server.
type Exposure struct {
	CVE       string     `json:"cve"`
	Title     string     `json:"title"`
	Address   netip.Addr `json:"address"`
	Server    string     `json:"server"`
	Group     string     `json:"group"`
	Component Component  `json:"component"`
	State     State      `json:"state"`
	Why       []string   `json:"why"` // the evidence, in words
	// Affected says what the version alone tells: "yes", "no", "perhaps".
	Affected   string    `json:"affected"`
	Definition string    `json:"definition,omitempty"` // that stands in or could
	Service    string    `json:"service,omitempty"`    // through which it would
	Mode       string    `json:"mode,omitempty"`
	Fail       string    `json:"fail,omitempty"` // what the service does without the engine
	Proof      string    `json:"proof,omitempty"`
	Since      time.Time `json:"since"` // both the component and the vulnerability are known here
	KEV        bool      `json:"kev"`
	Ransom     bool      `json:"ransom"`
	Due        string    `json:"due,omitempty"`
	// Advice is what there is to do: "patch", "switch on", "retire", "".
	Advice string `json:"advice,omitempty"`
	Early  bool   `json:"early,omitempty"` // an inline patch stood in, and was switched off before the server was patched
}

// Days is how long the server has been exposed, whole days.
func (e Exposure) Days(now time.Time) int {
	if e.State == Patched {
		return 0
	}
	return int(now.Sub(e.Since).Hours() / 24)
}

// Exposures works out what each server is open to. status is the running wire,
// nil when it does not answer: then no inline patch counts.
func Exposures(servers []Server, advisories []Advisory, definitions []Definition, status *control.Status) []Exposure {
	m := matcher{definitions: definitions, status: status, kev: map[string]Advisory{}, index: newIndex(advisories)}
	for _, a := range advisories {
		if a.Source == "CISA KEV" {
			m.kev[a.ID] = a
		}
	}
	found := map[[2]string]Exposure{}
	for _, s := range servers {
		for _, c := range s.Components {
			for _, e := range m.component(s, c) {
				key := [2]string{s.Address.String(), e.CVE}
				if old, ok := found[key]; ok {
					e = together(old, e)
				}
				found[key] = e
			}
		}
	}
	all := []Exposure{}
	for _, e := range found {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Exposure) int {
		if d := slices.Index(worst, a.State) - slices.Index(worst, b.State); d != 0 {
			return d
		}
		if a.CVE != b.CVE {
			return strings.Compare(b.CVE, a.CVE) // later ones first
		}
		return a.Address.Compare(b.Address)
	})
	return all
}

// together makes one of two findings on the same. Better evidence counts; where
// it is as good, or newer evidence names another version, the worse state does.
// What speaks for either is kept.
func together(a, b Exposure) Exposure {
	worse := slices.Index(worst, a.State) - slices.Index(worst, b.State)
	better := slices.Index(classes, a.Component.Evidence) - slices.Index(classes, b.Component.Evidence)
	against := ""
	if better != 0 {
		good, bad := a.Component, b.Component
		if better > 0 {
			good, bad = bad, good
		}
		if bad.Version != "" && Compare(upstream(bad.Version), upstream(good.Version)) != 0 && normal(bad.Name) == normal(good.Name) {
			against = fmt.Sprintf("%s says %s %s, and %s (%s) %s", good.Evidence, good.Name, orNone(good.Version), bad.Evidence, bad.Source, bad.Version)
			if bad.Seen.After(good.Seen) {
				better = 0
			}
		}
	}
	if better > 0 || better == 0 && worse > 0 {
		a, b = b, a
	}
	for _, w := range b.Why {
		if worse == 0 && !slices.Contains(a.Why, w) {
			a.Why = append(a.Why, w)
		}
	}
	if against != "" {
		a.Why = append(a.Why, against)
	}
	return a
}

// classes of evidence, best first.
var classes = []Evidence{BySBOM, ByCheck, ByBanner, ByWord}

// hearsay is what a server says of itself. A distribution's fix leaves it as it
// is, so it can tell that something is fixed, and never that it is not.
func hearsay(e Evidence) bool { return e == ByBanner || e == ByCheck }

// upstream is a version without a distribution's revision.
func upstream(v string) string {
	v, _, _ = strings.Cut(v, " ")
	v, _, _ = strings.Cut(v, "-")
	v, _, _ = strings.Cut(v, "+")
	return v
}

func orBy(publisher string) string {
	if publisher == "" {
		return ""
	}
	return ", " + publisher
}

type matcher struct {
	definitions []Definition
	status      *control.Status
	kev         map[string]Advisory
	index       index
}

// component finds what one component is open to: by advisories that name
// packages, and by definitions that name products.
func (m matcher) component(s Server, c Component) (all []Exposure) {
	for _, r := range m.index.find(c) {
		a := r.advisory
		affected, why := r.affect.affected(c)
		for _, cve := range a.CVEs {
			all = append(all, m.judge(s, c, cve, a.Title, affected, a.ID+" ("+a.Source+orBy(a.By)+"): "+why, a.Known))
		}
	}
	for _, d := range m.definitions {
		if !d.names(c) {
			continue
		}
		affected, why := "perhaps", "the version of "+c.Name+" is not known"
		switch {
		case c.Version == "":
		case len(d.Affected) == 0:
			why = "the definition says no versions"
		case In(c.Version, d.Affected):
			affected, why = "yes", c.Name+" "+c.Version+" is in "+strings.Join(d.Affected, ", ")
		default:
			affected, why = "no", c.Name+" "+c.Version+" is not in "+strings.Join(d.Affected, ", ")
		}
		for _, cve := range d.Vulnerabilities {
			all = append(all, m.judge(s, c, cve, d.Title, affected, d.ID+": "+why, c.Seen))
		}
	}
	return all
}

// judge puts together what is known of one vulnerability on one server.
func (m matcher) judge(s Server, c Component, cve, title, affected, why string, known time.Time) Exposure {
	if affected == "yes" && hearsay(c.Evidence) {
		affected, why = "perhaps", why+", by its own word: that does not tell whether the fix was taken back into this version"
	}
	e := Exposure{CVE: cve, Title: title, Address: s.Address, Server: s.Name, Group: s.Group, Component: c, Affected: affected, Since: c.Seen}
	if known.After(e.Since) {
		e.Since = known
	}
	e.Why = []string{why, "version by " + strings.TrimPrefix(string(c.Evidence), "by ") + " (" + c.Source + ") of " + c.Seen.UTC().Format(time.DateOnly)}
	if k, ok := m.kev[cve]; ok {
		e.KEV, e.Ransom, e.Due = true, k.Ransom, k.Due
		e.Why = append(e.Why, "exploited in the wild by CISA's catalogue since "+k.Added+", to be done by "+k.Due)
	}
	m.standIn(&e, s.Address)
	switch {
	case affected == "no":
		e.State = Patched
		if e.Mode == "correct" || e.Mode == "shadow" {
			e.Advice = "retire"
		}
	case e.Mode == "correct":
		e.State, e.Advice = Corrected, "patch"
	case e.Mode == "shadow":
		e.State, e.Advice = Shadow, "switch on"
	case affected == "yes":
		e.State, e.Advice = Exposed, "patch"
	default:
		e.State, e.Advice = Possible, "find out"
	}
	if e.Definition != "" && e.Mode == "off" && affected != "no" {
		e.Advice = "switch on"
	}
	return e
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

var purlTypes = map[string]string{"npm": "npm", "Go": "golang", "PyPI": "pypi", "crates.io": "cargo", "Packagist": "composer", "RubyGems": "gem", "NuGet": "nuget", "Maven": "maven", "Hex": "hex"}

// purlOf is the package URL of a name in an ecosystem, "" where none is known.
func purlOf(ecosystem, name string) string {
	if purlTypes[ecosystem] == "" {
		return ""
	}
	if ecosystem == "Maven" {
		name = strings.ReplaceAll(name, ":", "/")
	}
	return "pkg:" + purlTypes[ecosystem] + "/" + strings.ReplaceAll(name, "@", "%40")
}

func (x Affect) affected(c Component) (state, why string) {
	switch {
	case c.Version == "":
		return "perhaps", "the version of " + c.Name + " is not known"
	case slices.Contains(x.Fixed, c.Version):
		return "no", c.Name + " " + c.Version + " is listed as fixed, or not affected"
	case slices.Contains(x.Versions, c.Version):
		return "yes", c.Name + " " + c.Version + " is listed as affected"
	case In(c.Version, x.Ranges):
		return "yes", c.Name + " " + c.Version + " is in " + strings.Join(x.Ranges, ", ")
	case In(c.Version, x.FixedIn):
		return "no", c.Name + " " + c.Version + " is in " + strings.Join(x.FixedIn, ", ") + ", which is not affected"
	case x.Unknown && x.Ecosystem == "":
		return "perhaps", "which versions of " + c.Name + " are affected is not said in a form that is known here"
	case x.Unknown:
		return "perhaps", "the order of " + x.Ecosystem + "'s versions is not known here, and " + c.Version + " is not listed"
	case len(x.Versions)+len(x.Ranges) == 0: // as where only what is fixed is listed, or commits
		return "perhaps", "no version of " + c.Name + " is named as affected, and " + c.Version + " is not listed as fixed"
	}
	return "no", c.Name + " " + c.Version + " is neither listed nor in " + strings.Join(x.Ranges, ", ")
}

// names says whether a component is the product that a definition is for.
func (d Definition) names(c Component) bool {
	parts := strings.Split(d.CPE, ":")
	if len(parts) < 5 {
		return false
	}
	if own := strings.Split(c.CPE, ":"); len(own) > 4 {
		return own[3] == parts[3] && own[4] == parts[4]
	}
	if normal(c.Name) == normal(parts[4]) || alias(c.Name) == normal(parts[4]) {
		return true
	}
	product := d.product()
	return product != "" && normal(c.Name) == normal(product) || c.PURL != "" && product != "" && strings.HasSuffix(strings.ToLower(c.PURL), "/"+strings.ToLower(product))
}

// product is the name that people know.
func (d Definition) product() string {
	name, _, _ := strings.Cut(d.Product, " (")
	return name
}

// productNames are the names by which definitions know what runs on a server.
func productNames(all []Definition) []string {
	names := map[string]bool{}
	for _, d := range all {
		name := d.product()
		if parts := strings.Split(d.CPE, ":"); name == "" && len(parts) > 4 {
			name = parts[4]
		}
		names[name] = true
	}
	delete(names, "")
	return slices.SortedFunc(maps.Keys(names), func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
}

// normal makes names alike that differ in what people write differently.
func normal(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(name))
}
