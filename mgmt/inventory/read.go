package inventory

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxUpload bounds a file that is read, in bytes.
const MaxUpload = 16 << 20

// csvColumns are those of a list of servers; the first is needed.
var csvColumns = []string{"address", "name", "group", "product", "version", "purl"}

// ReadCSV reads a list of servers, one product a line, with a line of column
// names first. who is named as the source.
func ReadCSV(text []byte, who string) ([]Server, error) {
	text = plain(text)
	if !utf8.Valid(text) {
		return nil, faulty("the text is not UTF-8; save it as CSV UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.Comma = -1, separator(text)
	r.TrimLeadingSpace = r.Comma != '\t' // an empty field is one
	head, err := r.Read()
	if err != nil {
		return nil, faulty("no line of column names: %v", err)
	}
	column := map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(h))
		if !slices.Contains(csvColumns, h) {
			return nil, faulty("column %.40q is not known; known are %s", h, strings.Join(csvColumns, ", "))
		}
		column[h] = i
	}
	if _, ok := column["address"]; !ok {
		return nil, faulty("there is no column address")
	}
	var all []Server
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, faulty("%v", err)
		}
		field := func(name string) string {
			if i, ok := column[name]; ok && i < len(rec) {
				return strings.TrimSpace(rec[i])
			}
			return ""
		}
		line, _ := r.FieldPos(0)
		a, err := netip.ParseAddr(field("address"))
		if err != nil {
			return nil, faulty("line %d: address: got %.60q, want an IPv4 or IPv6 address", line, field("address"))
		}
		v := Server{Address: a.Unmap(), Name: field("name"), Group: field("group")}
		if p := field("product"); p != "" {
			v.Components = []Component{{Name: p, Version: field("version"), PURL: field("purl"), Evidence: ByWord, Source: who}}
		}
		all = append(all, v)
		if len(all) > maxServers*10 {
			return nil, faulty("too many lines")
		}
	}
}

// plain is a text without the mark that some programs begin it with, in UTF-8 where
// that mark says that it is in UTF-16.
func plain(text []byte) []byte {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return text[3:]
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	case !bytes.HasPrefix(text, []byte("\xff\xfe")):
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for text = text[2:]; len(text) >= 2; text = text[2:] {
		units = append(units, order.Uint16(text))
	}
	return []byte(string(utf16.Decode(units)))
}

// separator is what stands between the names of the columns: spreadsheets write what
// is usual in their country.
func separator(text []byte) rune {
	head, _, _ := bytes.Cut(text, []byte("\n"))
	for _, s := range []rune{',', ';', '\t'} {
		if bytes.ContainsRune(head, s) {
			return s
		}
	}
	return ','
}

// ReadCycloneDX reads a bill of materials in CycloneDX JSON.
func ReadCycloneDX(text []byte) ([]Component, error) {
	type component struct {
		Name, Group, Version, PURL, CPE string
		Components                      []component
	}
	var b struct {
		BOMFormat, SerialNumber string
		Metadata                struct{ Component *component }
		Components              []component
	}
	if err := json.Unmarshal(plain(text), &b); err != nil || b.BOMFormat != "CycloneDX" {
		return nil, faulty("no bill of materials in CycloneDX JSON; CycloneDX XML and SPDX are not read: have it written anew as CycloneDX JSON")
	}
	source := "CycloneDX " + b.SerialNumber
	if len(source) > 100 {
		source = source[:100]
	}
	var all []Component
	var walk func(list []component, depth int)
	walk = func(list []component, depth int) {
		for _, c := range list {
			if c.Name != "" {
				all = append(all, Component{Name: c.Name, Version: c.Version, PURL: c.PURL, CPE: c.CPE, Evidence: BySBOM, Source: strings.TrimSpace(source)})
			}
			if depth < 10 {
				walk(c.Components, depth+1)
			}
		}
	}
	walk(b.Components, 0)
	if c := b.Metadata.Component; c != nil {
		walk([]component{*c}, 0)
	}
	if len(all) == 0 || len(all) > maxComponents {
		return nil, faulty("%d components; want 1 to %d", len(all), maxComponents)
	}
	return all, nil
}

// Advisory is what is known of one vulnerability from one source.
type Advisory struct {
	ID      string    `json:"id"`           // its own: CVE-…, GHSA-…
	CVEs    []string  `json:"cves"`         // that it is about, ID included where it is one
	Source  string    `json:"source"`       // "CISA KEV", "OSV", "CSAF"
	By      string    `json:"by,omitempty"` // CSAF: the publisher
	Title   string    `json:"title"`
	Added   string    `json:"added"`   // date, by the source
	Due     string    `json:"due"`     // date by which KEV wants it done
	Ransom  bool      `json:"ransom"`  // known to be used by ransomware
	Affects []Affect  `json:"affects"` // OSV: what is affected
	Known   time.Time `json:"-"`       // here, since
	// Withdrawn says that it was taken back: what is known of it is forgotten.
	Withdrawn bool `json:"-"`
}

// Affect is one affected package.
type Affect struct {
	Name      string   `json:"name"`
	Ecosystem string   `json:"ecosystem"`
	PURL      string   `json:"purl"`
	Versions  []string `json:"versions"`
	Ranges    []string `json:"ranges"`  // as ">=1 <2"; of versions whose order is known here
	Unknown   bool     `json:"unknown"` // there are ranges whose order is not known here
	CPE       string   `json:"cpe,omitempty"`
	Fixed     []string `json:"fixed,omitempty"`    // CSAF: versions that are not affected, by name,
	FixedIn   []string `json:"fixed_in,omitempty"` // and by range
}

// Key tells advisories of different sources on one thing apart.
func (a Advisory) Key() string { return a.Source + " " + a.ID }

// ReadAdvisories reads the catalogue of CISA KEV, a CSAF 2.0 document, or one OSV
// record or a list of them.
func ReadAdvisories(text []byte) ([]Advisory, error) {
	var probe struct {
		Vulnerabilities []kevEntry `json:"vulnerabilities"`
		CatalogVersion  string     `json:"catalogVersion"`
		Document        struct {
			Version string `json:"csaf_version"`
		} `json:"document"`
	}
	trimmed := bytes.TrimSpace(text)
	if bytes.HasPrefix(trimmed, []byte("[")) {
		var list []osvRecord
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, faulty("no list of OSV records: %v", err)
		}
		return readOSV(list)
	}
	if err := json.Unmarshal(text, &probe); err != nil {
		if strings.Contains(string(trimmed[:min(len(trimmed), 4096)]), `"csaf_version"`) {
			return readCSAF(text) // its vulnerabilities are of another kind
		}
		return nil, faulty("no JSON: %v", err)
	}
	if probe.Document.Version != "" {
		return readCSAF(text)
	}
	if probe.CatalogVersion != "" {
		return readKEV(probe.Vulnerabilities)
	}
	var one osvRecord
	if err := json.Unmarshal(text, &one); err != nil {
		return nil, faulty("neither CISA's catalogue nor a CSAF document nor an OSV record: %v", err)
	}
	return readOSV([]osvRecord{one})
}

type kevEntry struct {
	CveID, VendorProject, Product, VulnerabilityName, DateAdded, DueDate, KnownRansomwareCampaignUse string
}

func readKEV(list []kevEntry) ([]Advisory, error) {
	var all []Advisory
	for _, k := range list {
		if !isCVE(k.CveID) {
			return nil, faulty("an entry of the catalogue is about %.40q", k.CveID)
		}
		all = append(all, Advisory{ID: k.CveID, CVEs: []string{k.CveID}, Source: "CISA KEV", Title: cut(k.VulnerabilityName), Added: cut(k.DateAdded), Due: cut(k.DueDate), Ransom: k.KnownRansomwareCampaignUse == "Known"})
	}
	return all, nil
}

type osvRecord struct {
	ID, Summary, Published, Withdrawn string
	Aliases, Upstream                 []string
	Affected                          []struct {
		Package struct{ Ecosystem, Name, PURL string }
		Ranges  []struct {
			Type   string
			Events []map[string]string
		}
		Versions []string
	}
}

func readOSV(list []osvRecord) ([]Advisory, error) {
	var all []Advisory
	for _, o := range list {
		if o.ID == "" || len(o.ID) > 100 {
			return nil, faulty("an OSV record without id")
		}
		a := Advisory{ID: o.ID, Source: "OSV", Title: cut(o.Summary), Added: cut(o.Published), Withdrawn: o.Withdrawn != ""}
		// A distribution's record names the CVE under upstream.
		for _, id := range slices.Concat([]string{o.ID}, o.Aliases, o.Upstream) {
			if isCVE(id) && !slices.Contains(a.CVEs, id) {
				a.CVEs = append(a.CVEs, id)
			}
		}
		for _, f := range o.Affected {
			x := Affect{Name: cut(f.Package.Name), Ecosystem: cut(f.Package.Ecosystem), PURL: barePURL(cut(f.Package.PURL)), Versions: f.Versions}
			for _, r := range f.Ranges {
				x.addRange(r.Type, r.Events)
			}
			a.Affects = append(a.Affects, x)
		}
		all = append(all, a)
	}
	return all, nil
}

// ordered are the ecosystems whose versions Compare orders as they do.
var ordered = []string{"npm", "Go", "crates.io", "PyPI", "Packagist", "RubyGems", "NuGet", "Hex", "Pub", "Maven"}

// addRange turns a range's events into intervals, where their order is known.
func (x *Affect) addRange(kind string, events []map[string]string) {
	if kind != "SEMVER" && !(kind == "ECOSYSTEM" && slices.Contains(ordered, x.Ecosystem)) {
		x.Unknown = x.Unknown || kind != "GIT"
		return
	}
	// A record may have them in any order.
	slices.SortStableFunc(events, func(a, b map[string]string) int { return Compare(eventAt(a), eventAt(b)) })
	from, open := "", false
	for _, e := range events {
		switch {
		case e["introduced"] != "":
			if !open {
				from, open = e["introduced"], true
			}
		case e["fixed"] != "" && open:
			x.Ranges, open = append(x.Ranges, ">="+from+" <"+e["fixed"]), false
		case e["last_affected"] != "" && open:
			x.Ranges, open = append(x.Ranges, ">="+from+" <="+e["last_affected"]), false
		}
	}
	if open {
		x.Ranges = append(x.Ranges, ">="+from)
	}
}

// eventAt is the version that an event is at.
func eventAt(e map[string]string) string {
	return cmp.Or(e["introduced"], e["fixed"], e["last_affected"], e["limit"])
}

func isCVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	return ok && len(rest) >= 9 && len(rest) <= 20 && strings.Trim(rest, "0123456789-") == ""
}

func cut(s string) string {
	if len(s) > 500 {
		return strings.ToValidUTF8(s[:500], "")
	}
	return s
}
