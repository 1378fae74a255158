package settings

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestFormat: what the parser knows is what the format's list says, so that
// nobody adds a key that the firmware in the other slot takes for a fault.
func TestFormat(t *testing.T) {
	if len(steps) != Format-1 {
		t.Errorf("there are %d steps to format %d; want one from each format to the next", len(steps), Format)
	}
	file := filepath.Join("testdata", "format"+strconv.Itoa(Format)+".txt")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(knownKeys(t), "\n") + "\n"; got != string(want) {
		t.Errorf("the keys of appliance.ini are no longer those of format %d.\nFirmware that was released with it could not read the file: raise Format and add a step.\n"+
			"If none was released with it yet, bring %s up to date. Known now:\n%s", Format, file, got)
	}
}

// knownKeys are the words that the parser's source names as sections and keys.
func knownKeys(t *testing.T) (out []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		parsed, err := goparser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "known" {
				return true
			}
			for _, a := range call.Args {
				if l, ok := a.(*ast.BasicLit); ok && l.Kind == token.STRING {
					out = append(out, strings.Trim(l.Value, `"`))
				}
			}
			return true
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestMigrate(t *testing.T) {
	const text = "; mine\n[appliance]\nhostname = rack7\n"
	if got, err := Migrate(text, Format); err != nil || got != text {
		t.Errorf("Migrate of the present format = %q, %v; want it as it was", got, err)
	}
	for _, from := range []int{0, Format + 1} {
		if got, err := Migrate(text, from); err == nil {
			t.Errorf("Migrate from format %d = %q; want an error", from, got)
		}
	}
}
