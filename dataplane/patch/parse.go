package patch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

var (
	reID            = regexp.MustCompile(`^WP-[0-9]{4}-[0-9A-Za-z-]{1,40}$|^WP-[A-Z]+(-[0-9a-z]{1,8}){1,8}$`)
	reVulnerability = regexp.MustCompile(`^[A-Z]+-[0-9A-Za-z-]{4,40}$`)
	reCPE           = regexp.MustCompile(`^cpe:2\.3:[aho]:[^:\s]+:[^:\s]+(:[^:\s]+){0,8}$`)
	reRange         = regexp.MustCompile(`^(<|<=|>|>=|=)[0-9][0-9A-Za-z.+-]*( (<|<=|>|>=|=)[0-9][0-9A-Za-z.+-]*)*$`)
	reMode          = regexp.MustCompile(`^(off|shadow|correct)$`)
	reScope         = regexp.MustCompile(`^` + ScopeProduct + `$`)
	reSource        = regexp.MustCompile(`^https://[^\s]+$`)
)

// ReadFile reads and parses one patch.yaml. Its folder's name must be the id.
func ReadFile(path string) (*Definition, error) {
	d, _, err := readFile(path)
	return d, err
}

// readFile returns the file's bytes besides.
func readFile(path string) (d *Definition, file []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	b := make([]byte, MaxFile+1)
	n, err := readFull(f, b)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	d, err = Parse(path, b[:n])
	if err != nil {
		return d, b[:n], err
	}
	if dir := filepath.Base(filepath.Dir(path)); dir != d.ID && filepath.Base(path) == FileName {
		return d, b[:n], d.errorf("id is %q but the folder is %q; want the same", d.ID, dir)
	}
	return d, b[:n], nil
}

// Parse reads one definition. Its error joins all faults, each an *Error with
// file, line, column and what was expected. With an error the definition may be
// nil, or hold what could be read.
func Parse(file string, b []byte) (*Definition, error) {
	r := &reader{file: file}
	d := r.document(b)
	if len(r.errs) == 0 {
		return d, nil
	}
	all := make([]error, len(r.errs))
	for i, e := range r.errs {
		all[i] = e
	}
	return d, errors.Join(all...)
}

func (r *reader) document(b []byte) *Definition {
	body := r.body(b)
	if body == nil {
		return nil
	}
	d := &Definition{Pos: Pos{r.file, 1, 1}, Default: Correct}
	r.definition(d, body)
	return d
}

// body is the one YAML document of a file; nil after a fault.
func (r *reader) body(b []byte) ast.Node {
	start := Pos{r.file, 1, 1}
	if len(b) > MaxFile {
		r.fail(start, "file is larger than %d bytes; want a smaller one", MaxFile)
		return nil
	}
	if p, ok := tooDeep(b); !ok {
		r.fail(Pos{r.file, p, 1}, "too much in one file: more than %d blanks before a line, %d entries in a line or %d brackets; want less", maxIndent, maxInline, maxBrackets)
		return nil
	}
	tree, err := parser.ParseBytes(b, 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	docs := 0
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			docs, body = docs+1, doc.Body
		}
	}
	if docs != 1 {
		r.fail(start, "found %d YAML documents; want one", docs)
		return nil
	}
	return body
}

func (r *reader) syntax(err error) {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
		p := y.GetToken().Position
		want := "want valid YAML"
		if strings.Contains(y.GetMessage(), "mapping value is not allowed") {
			want += "; a value with a colon and a blank needs quotes, or the lines below >-"
		}
		r.fail(Pos{r.file, p.Line, p.Column}, "%s; %s", y.GetMessage(), want)
		return
	}
	r.fail(Pos{r.file, 1, 1}, "%s; want valid YAML", strings.SplitN(err.Error(), "\n", 2)[0])
}

// Bounds of what can nest in a file, generous beside what a definition needs.
const (
	maxIndent   = 200  // blanks before a line
	maxInline   = 1000 // what may open a level, in one line
	maxBrackets = 4096 // brackets and braces in all
)

// tooDeep bounds the recursion of the YAML parser before it starts: brackets and
// indentation both nest. It counts more than there is, never less.
func tooDeep(b []byte) (line int, ok bool) {
	brackets := 0
	for l := range bytes.Lines(b) {
		line++
		inline := bytes.Count(l, []byte("- ")) + bytes.Count(l, []byte("? ")) + bytes.Count(l, []byte(": "))
		brackets += bytes.Count(l, []byte("[")) + bytes.Count(l, []byte("{"))
		indent := len(l) - len(bytes.TrimLeft(l, " \t"))
		if indent > maxIndent || inline > maxInline || brackets > maxBrackets {
			return line, false
		}
	}
	return 0, true
}

var definitionKeys = []string{"id", "revision", "title", "vulnerabilities", "product", "behaviour", "sources", "limits", "default", "scope", "protocol", "proof", "session", "parameters", "let", "rules", "tests"}

var optionalKeys = []string{"limits", "default", "scope", "session", "parameters", "let"}

func (r *reader) definition(d *Definition, n ast.Node) {
	found := map[string]bool{}
	for _, e := range r.mapping(n, "definition", definitionKeys...) {
		found[e.key] = true
		switch e.key {
		case "id":
			t := r.matching(e.node, "id", reID, "for instance WP-2025-29927")
			d.ID, d.Pos = t.Value, t.Pos
		case "revision":
			d.Revision = r.number(e.node, "revision", 1, 1<<30)
		case "title":
			d.Title = r.text(e.node, "title").Value
		case "vulnerabilities":
			d.Vulnerabilities = r.allMatching(e.node, "vulnerabilities", reVulnerability, "for instance CVE-2025-29927")
		case "product":
			r.product(&d.Product, e.node)
		case "behaviour":
			d.Behaviour = r.text(e.node, "behaviour").Value
		case "sources":
			d.Sources = r.allMatching(e.node, "sources", reSource, "an https:// address")
		case "limits":
			d.Limits = r.texts(e.node, "limits")
		case "default":
			d.Default = r.matching(e.node, "default", reMode, "off, shadow or correct").Value
		case "protocol":
			t := r.text(e.node, "protocol")
			d.Protocol, d.protocolPos = t.Value, t.Pos
		case "proof":
			d.Proof = r.text(e.node, "proof").Value
		case "scope":
			d.Scope = r.matching(e.node, "scope", reScope, ScopeProduct).Value
		case "parameters":
			d.Parameters = r.parameters(e.node)
		case "let":
			d.Let = r.lets(e.node)
		case "session":
			d.Session = r.variables(e.node)
		case "rules":
			d.Rules = r.rules(e.node)
		case "tests":
			d.Tests = r.tests(e.node)
		}
	}
	for _, k := range definitionKeys {
		if !found[k] && !slices.Contains(optionalKeys, k) {
			r.fail(d.Pos, "definition: key %q is missing", k)
		}
	}
}

func (r *reader) product(p *Product, n ast.Node) {
	for _, e := range r.mapping(n, "product", "name", "cpe", "affected") {
		switch e.key {
		case "name":
			p.Name = r.text(e.node, "product.name").Value
		case "cpe":
			p.CPE = r.matching(e.node, "product.cpe", reCPE, "for instance cpe:2.3:a:vercel:next.js").Value
		case "affected":
			p.Affected = r.allMatching(e.node, "product.affected", reRange, `for instance ">=1.2.0 <1.4.7"`)
		}
	}
	if p.Name == "" || len(p.Affected) == 0 {
		r.fail(r.pos(n), "product: want name and affected")
	}
}

func (r *reader) matching(n ast.Node, what string, re *regexp.Regexp, want string) Text {
	t := r.text(n, what)
	if !re.MatchString(t.Value) {
		r.fail(t.Pos, "%s: found %q; want %s", what, clip(t.Value), want)
	}
	return t
}

func (r *reader) allMatching(n ast.Node, what string, re *regexp.Regexp, want string) []string {
	var out []string
	for _, v := range r.list(n, what) {
		out = append(out, r.matching(v, what, re, want).Value)
	}
	if len(out) == 0 {
		r.fail(r.pos(n), "%s: the list is empty; want %s", what, want)
	}
	return out
}

func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func byID(a, b *Definition) int { return strings.Compare(a.ID, b.ID) }

// FileName is the name of a definition's file, in a folder with its id.
const FileName = "patch.yaml"
