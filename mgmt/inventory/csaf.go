package inventory

import (
	"encoding/json"
	"slices"
	"strings"
)

// csafFile is what is read of a CSAF 2.0 document.
type csafFile struct {
	Document struct {
		Version  string `json:"csaf_version"`
		Title    string
		Tracking struct {
			ID      string
			Status  string
			Initial string `json:"initial_release_date"`
		}
		Publisher struct{ Name string }
	}
	Tree struct {
		Branches      []csafBranch
		Names         []csafProduct `json:"full_product_names"`
		Relationships []struct {
			Product   string      `json:"product_reference"`
			On        string      `json:"relates_to_product_reference"`
			Full      csafProduct `json:"full_product_name"`
			Relations string      `json:"category"`
		}
	} `json:"product_tree"`
	Vulnerabilities []struct {
		CVE    string
		Title  string
		Status map[string][]string `json:"product_status"`
	}
}

type csafBranch struct {
	Category string
	Name     string
	Branches []csafBranch
	Product  *csafProduct
}

type csafProduct struct {
	ID     string `json:"product_id"`
	Name   string
	Helper struct{ CPE, PURL string } `json:"product_identification_helper"`
}

// csafNamed is a product with what the branches above say of it.
type csafNamed struct {
	product, version, versions string // versions: a range
	cpe, purl                  string
}

// maxBranches bounds the depth of a tree of products.
const maxBranches = 30

// readCSAF makes an advisory of each vulnerability of a document.
func readCSAF(text []byte) ([]Advisory, error) {
	var f csafFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, faulty("no CSAF document: %v", err)
	}
	if f.Document.Version != "2.0" || f.Document.Tracking.ID == "" {
		return nil, faulty("a CSAF document of version %.20q; want 2.0, with a tracking id", f.Document.Version)
	}
	products := map[string]csafNamed{}
	for _, b := range f.Tree.Branches {
		b.collect(products, csafNamed{}, 0)
	}
	for _, p := range f.Tree.Names {
		p.collect(products, csafNamed{})
	}
	for _, r := range f.Tree.Relationships { // a component of a product: the component counts
		if n, ok := products[r.Product]; ok {
			r.Full.collect(products, n)
		}
	}
	var all []Advisory
	for _, v := range f.Vulnerabilities {
		if !isCVE(v.CVE) {
			continue
		}
		title := v.Title
		if title == "" {
			title = f.Document.Title
		}
		a := Advisory{ID: cut(f.Document.Tracking.ID) + " " + v.CVE, CVEs: []string{v.CVE}, Source: "CSAF", Title: cut(title), Added: cut(f.Document.Tracking.Initial), By: cut(f.Document.Publisher.Name)}
		a.Affects = statuses(v.Status, products)
		if len(a.Affects) > 0 {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return nil, faulty("the document says of no product that a CVE concerns it")
	}
	return all, nil
}

func (b csafBranch) collect(into map[string]csafNamed, n csafNamed, depth int) {
	switch b.Category {
	case "product_name":
		n.product = b.Name
	case "product_version":
		n.version = b.Name
	case "product_version_range":
		n.versions = b.Name
	}
	if b.Product != nil {
		b.Product.collect(into, n)
	}
	if depth < maxBranches {
		for _, c := range b.Branches {
			c.collect(into, n, depth+1)
		}
	}
}

func (p csafProduct) collect(into map[string]csafNamed, n csafNamed) {
	if n.product == "" {
		n.product = p.Name
	}
	if p.Helper.CPE != "" {
		n.cpe = p.Helper.CPE
	}
	if p.Helper.PURL != "" {
		n.purl = p.Helper.PURL
	}
	if n.version == "" && n.versions == "" {
		if i := strings.LastIndex(n.purl, "@"); i > strings.LastIndex(n.purl, "/") {
			n.version, _, _ = strings.Cut(n.purl[i+1:], "?")
		} else if c := strings.Split(n.cpe, ":"); len(c) > 5 && c[5] != "*" && c[5] != "-" {
			n.version = strings.ReplaceAll(c[5], `\`, "")
		}
	}
	if p.ID != "" {
		into[p.ID] = n
	}
}

// statuses gathers what a document says of the versions of each product.
func statuses(status map[string][]string, products map[string]csafNamed) (all []Affect) {
	at := map[[3]string]int{}
	for kind, ids := range status {
		for _, id := range ids {
			n, ok := products[id]
			if !ok {
				continue
			}
			key := [3]string{n.product, cpeName(n.cpe), barePURL(n.purl)}
			i, ok := at[key]
			if !ok {
				i = len(all)
				at[key] = i
				all = append(all, Affect{Name: cut(n.product), CPE: cut(n.cpe), PURL: cut(barePURL(n.purl))})
			}
			all[i].addStatus(kind, n)
		}
	}
	slices.SortFunc(all, func(a, b Affect) int { return strings.Compare(a.Name+a.PURL+a.CPE, b.Name+b.PURL+b.CPE) })
	return all
}

// cpeName is a CPE up to its product.
func cpeName(cpe string) string {
	p := strings.Split(cpe, ":")
	return strings.Join(p[:min(5, len(p))], ":")
}

func (x *Affect) addStatus(kind string, n csafNamed) {
	var ranges []string
	if n.versions != "" {
		ranges = versRange(n.versions)
	}
	switch kind {
	case "known_affected", "first_affected", "last_affected":
		switch {
		case n.version != "":
			x.Versions = append(x.Versions, n.version)
		case ranges != nil:
			x.Ranges = append(x.Ranges, ranges...)
		default: // all versions, or a range that cannot be read
			x.Unknown = true
		}
	case "fixed", "first_fixed", "known_not_affected", "recommended":
		if n.version != "" {
			x.Fixed = append(x.Fixed, n.version)
		}
		x.FixedIn = append(x.FixedIn, ranges...)
	case "under_investigation":
		x.Unknown = true
	}
	slices.Sort(x.Versions)
	slices.Sort(x.Ranges)
	slices.Sort(x.Fixed)
}

// versRange reads a range as vers has it, "vers:npm/>=1.0|<2.0", or as people
// write it, "<2.0", ">=1.0 <2.0", "1.0 - 1.9"; nil: it cannot be read.
func versRange(s string) (all []string) {
	if rest, ok := strings.CutPrefix(s, "vers:"); ok {
		_, s, _ = strings.Cut(rest, "/")
	}
	if s == "*" {
		return []string{">=0"}
	}
	open := ""
	for _, c := range strings.FieldsFunc(s, func(r rune) bool { return r == '|' || r == ' ' || r == ',' }) {
		version := strings.TrimLeft(c, "<>=!")
		op := c[:len(c)-len(version)]
		if version == "" || version[0] < '0' || version[0] > '9' {
			return nil
		}
		switch op {
		case ">", ">=":
			if open != "" {
				all = append(all, open)
			}
			open = c
		case "<", "<=":
			all = append(all, strings.TrimSpace(open+" "+c))
			open = ""
		case "", "=", "==":
			all = append(all, "="+version)
		default:
			return nil
		}
	}
	if open != "" {
		all = append(all, open)
	}
	return all
}
