package main

import (
	"os"
	"strings"
	"testing"

	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
)

// The page for authors names every element, field, variable and function that
// there is.
func TestPageIsWhole(t *testing.T) {
	b, err := os.ReadFile("../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	whole := page
	for protocol, d := range decoders.ForDefinitions() {
		page := section(whole, protocol)
		need(t, page, "`"+protocol+"`", "protocol")
		for kind, e := range d.Schema.Elements {
			row := line(page, "| `"+kind+"` |")
			if row == "" {
				t.Errorf("the page has no row for element %s", kind)
			}
			for field, f := range e.Fields {
				need(t, row, "`"+field+"`", kind+" field")
				if f.Settable {
					need(t, row, "`"+field+"`*", kind+" settable field")
				}
			}
		}
		for name := range d.Schema.Vars {
			need(t, page, "`"+name+"`", "variable")
		}
	}
	for _, f := range patch.Functions() {
		need(t, page, f+"(", "function")
	}
}

// section is what the page says about one protocol: its own section, or all of it.
func section(page, protocol string) string {
	_, s, ok := strings.Cut(page, "\n### Protocol `"+protocol+"`")
	if !ok {
		return page
	}
	if i := strings.Index(s, "\n## "); i >= 0 {
		s = s[:i]
	}
	s, _, _ = strings.Cut(s, "\n### ")
	return "`" + protocol + "`" + s
}

func need(t *testing.T, page, text, what string) {
	t.Helper()
	if !strings.Contains(page, text) {
		t.Errorf("the page does not name %s %s", what, text)
	}
}

// line joins the rows that begin so: protocols may share names of elements.
func line(page, start string) string {
	var rows string
	for l := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(l, start) {
			rows += l + "\n"
		}
	}
	return rows
}

// Every definition on the page is one that an appliance would load.
func TestPageExamples(t *testing.T) {
	b, err := os.ReadFile("../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range strings.Split(string(b), "```yaml\n")[1:] {
		example, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(example, "id: ") {
			continue
		}
		found++
		d, err := patch.Parse("docs/definitions.md", []byte(example))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range patch.Test(d, decoders.ForDefinitions()[d.Protocol]) {
			t.Error(f)
		}
	}
	if found < 2 {
		t.Errorf("the page has %d definitions; want one for HTTP and one for another protocol", found)
	}
}
