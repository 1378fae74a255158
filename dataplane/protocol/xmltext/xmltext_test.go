package xmltext

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var limits = Limits{Nodes: 1000, Depth: 100}

func cut(text string, s Span) string {
	if s.Start < 0 {
		return "-"
	}
	return text[s.Start:s.End]
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		text string
		err  string
		want []string
	}{
		{`<a x="1" y='2'>t<b/></a>`, "", []string{`element a t<b/> 0`, `attribute x 1 1`, `attribute y 2 1`, `text - t 1`, `element b - 1`}},
		{`<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>`, "",
			[]string{`instruction xml xml version="1.0" 0`, `doctype r r [<!ENTITY x SYSTEM "file:///etc/passwd">] 0`, `entity x SYSTEM "file:///etc/passwd" 0`, `element r &x; 0`, `text - &x; 1`}},
		{`<a><![CDATA[<b>]]><!-- c --></a>`, "", []string{`element a <![CDATA[<b>]]><!-- c --> 0`, `cdata - <b> 1`, `comment -  c  1`}},
		{`<a><b></a>`, "end tag of another element at byte 6", []string{`element a <b></a> 0`, `element b </a> 1`}},
		{`<a`, "attribute out of form at byte 2", []string{`element a  0`}},
		{`<!DOCTYPE a [ <!-- ' --> <!ENTITY % p "x>"> %p; ]><a/>`, "",
			[]string{`doctype a a [ <!-- ' --> <!ENTITY % p "x>"> %p; ] 0`, `entity p "x>" 0`, `element a - 0`}},
	} {
		nodes, _, err := Scan(tc.text, limits)
		var got []string
		for _, n := range nodes {
			got = append(got, fmt.Sprintf("%s %s %s %d", n.Type, cut(tc.text, n.Name), cut(tc.text, n.Value), n.Depth))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("Scan(%q) (-want +got):\n%s", tc.text, diff)
		}
		if e := fmt.Sprint(err); err == nil && tc.err != "" || err != nil && e != tc.err {
			t.Errorf("Scan(%q): error %v; want %q", tc.text, err, tc.err)
		}
	}
	if got := Unescape(Escape(`a<b>&"'`)); got != `a<b>&"'` {
		t.Errorf("Unescape(Escape) = %q", got)
	}
}

func TestLimits(t *testing.T) {
	if _, deepest, err := Scan(strings.Repeat("<a>", 500), limits); err == nil || deepest != 100 {
		t.Errorf("deep nesting: %d, %v; want 100 and an error", deepest, err)
	}
	if nodes, _, err := Scan("<r>"+strings.Repeat("<a/>", 5000), limits); err == nil || len(nodes) != 1000 {
		t.Errorf("5000 elements: %d, %v; want 1000 and an error", len(nodes), err)
	}
}

// FuzzScan compares with encoding/xml: elements and attributes that it reads, we
// have found too.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`<a x="1">t<b/></a>`, `<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>`, `<a><![CDATA[<b>]]></a>`, `<?xml version="1.0"?><a/>`, `<!DOCTYPE`, `<a b='`, `<a/ >`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes, _, err := Scan(text, Limits{Nodes: 1 << 20, Depth: 1 << 20})
		elements, attributes := 0, 0
		for i, n := range nodes {
			if n.All.Start > n.All.End || n.All.End > len(text) || n.Value.Start > n.Value.End || n.Name.Start > n.Name.End || n.Parent >= i {
				t.Fatalf("%q: part %d out of place: %+v", text, i, n)
			}
			switch n.Type {
			case Element:
				elements++
			case Attribute:
				attributes++
			}
		}
		if err != nil || strings.Contains(text, "<!") {
			return
		}
		d := xml.NewDecoder(strings.NewReader(text))
		var theirElements, theirAttributes int
		for {
			token, err := d.RawToken()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if e, ok := token.(xml.StartElement); ok {
				theirElements++
				theirAttributes += len(e.Attr)
			}
		}
		if elements != theirElements || attributes != theirAttributes {
			t.Errorf("%q: %d elements, %d attributes; encoding/xml reads %d, %d", text, elements, attributes, theirElements, theirAttributes)
		}
	})
}
