package patch

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conditions have guards of every form, and near misses of each.
var conditions = []string{
	`name == "ab"`,
	`value == "ab" && name == "b"`,
	`"aB" == value`,
	`value.contains("ab")`,
	`value.contains("bab") || value.startsWith("bb")`,
	`value.contains("a")`,
	`value.lowerAscii() == "ab"`,
	`value.upperAscii().contains("BA")`,
	`value in ["a", "bA", ""]`,
	`!(value in ["a", "b"])`,
	`name == "a" ? value == "b" : value == "a"`,
	`name == "a" || request.path == "ab"`,
	`request.path.endsWith("ab")`,
	`request.path.startsWith("b") && value.contains("Ba")`,
	`(name == "a" || name == "b") && (value == "ab" || value == "ba")`,
	`value.contains("abababababababababab")`,
	`value.contains("babababababababab") && !value.contains("bb")`,
	`value.matches("^(ab)+$")`,
	`value.size() > 3 && value.contains("AA")`,
	`["ab"].exists(value, value == "ab")`,
	`value != "ab"`,
	`value.matches("(?i)a[bc]+b|bA")`,
	`value.split("b")[0].lowerAscii() == "ab" || value.trim() == "AB"`,
	`!(value != "ab" && !name.contains("ab"))`,
	`!value.contains("ab") && !(name != "ab")`,
}

// FuzzIndex holds the index against the plain evaluation of every rule: the
// literals that it looks for must never hide a match.
func FuzzIndex(f *testing.F) {
	var defs []*Definition
	for i, c := range conditions {
		defs = append(defs, mustParse(f, fmt.Sprintf("WP-2099-%02d", i), "  - at: request.header\n    do: report\n    when: |-\n      "+c))
	}
	indexed, plain := mustCompile(f, nil, defs...), mustCompile(f, nil, defs...)
	for _, r := range plain.rules {
		r.guards = nil
	}
	plain.index()
	f.Add("a", "ab", "b", "abab", "ab")
	f.Add("AB", "AB", "b", "bababababababababababababababab", "b/ab")
	f.Add("", "", "a", "a", "")
	f.Add("\xff", "\xffab", "é", "éab", "ab\xc3")
	f.Fuzz(func(t *testing.T, name, value, name2, value2, path string) {
		m := request("GET", path, name, value, name2, value2)
		if diff := cmp.Diff(plain.Match(m), indexed.Match(m)); diff != "" {
			t.Errorf("Match of %q: %q, %q: %q at %q (-every rule +by index):\n%s", name, value, name2, value2, path, diff)
		}
	})
}

func TestAutomaton(t *testing.T) {
	literals := []string{"he", "she", "his", "hers", "a-very-long-literal-that-is-cut", "s"}
	a := newAutomaton(literals)
	tests := []struct {
		text string
		want []int32
	}{
		{"", nil}, {"ushers", []int32{5, 1, 0, 3, 5}}, {"HIS", []int32{2, 5}}, {"h e", nil},
		{"a-very-long-lite", []int32{4}}, {"xA-VERY-LONG-LITERAL", []int32{4}}, {"\xff\x00he", []int32{0}},
	}
	for _, tt := range tests {
		got := a.scan(tt.text, nil)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("scan(%q) (-want +got):\n%s", tt.text, diff)
		}
	}
}
