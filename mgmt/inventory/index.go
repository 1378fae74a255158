package inventory

import "strings"

// ref is one affected package of one advisory.
type ref struct {
	advisory *Advisory
	affect   *Affect
}

// index finds affected packages by what components are called, so that the work
// grows with what is found and not with what is known.
type index struct {
	byName, byPURL, byCPE map[string][]ref
}

func newIndex(advisories []Advisory) index {
	x := index{map[string][]ref{}, map[string][]ref{}, map[string][]ref{}}
	for i := range advisories {
		for j := range advisories[i].Affects {
			a := &advisories[i].Affects[j]
			r := ref{&advisories[i], a}
			purl := a.PURL
			if purl == "" {
				purl = purlOf(a.Ecosystem, a.Name)
			}
			if purl = strings.ToLower(purl); purl != "" {
				x.byPURL[purl] = append(x.byPURL[purl], r)
			}
			if c := productOf(a.CPE); c != "" {
				x.byCPE[c] = append(x.byCPE[c], r)
			}
			x.byName[normal(a.Name)] = append(x.byName[normal(a.Name)], r)
		}
	}
	return x
}

// find returns what names a component: its package URL where it has one, else
// its CPE, else its name.
func (x index) find(c Component) []ref {
	if c.PURL != "" {
		return x.byPURL[strings.ToLower(c.PURL)]
	}
	if p := productOf(c.CPE); p != "" {
		if found := x.byCPE[p]; found != nil {
			return found
		}
	}
	found := x.byName[normal(c.Name)]
	if other := alias(c.Name); other != "" {
		found = append(found[:len(found):len(found)], x.byName[other]...)
	}
	return found
}

// productOf is vendor and product of a CPE.
func productOf(cpe string) string {
	p := strings.Split(cpe, ":")
	if len(p) < 5 || p[0] != "cpe" {
		return ""
	}
	if p[1] == "2.3" {
		return strings.ToLower(p[3] + ":" + p[4])
	}
	return strings.ToLower(p[2] + ":" + p[3]) // cpe:/a:vendor:product, version 2.2
}

// aliases are names in banners whose product is called otherwise elsewhere.
var aliases = map[string]string{"apache": "httpserver", "microsoftiis": "internetinformationservices", "microsoftesmtpmailservice": "exchangeserver"}

func alias(name string) string { return aliases[normal(name)] }
