package multicall

import (
	"go/ast"
	"go/token"
	"strconv"
)

// setVersion sets a program's package variable version, when it has one that
// begins as a string. The linker's -X cannot: the rewritten program sets its
// variables itself when it starts.
func setVersion(files []*ast.File, version string) {
	for _, f := range files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if len(v.Names) != 1 || v.Names[0].Name != "version" || len(v.Values) != 1 {
					continue
				}
				if l, ok := v.Values[0].(*ast.BasicLit); ok && l.Kind == token.STRING {
					l.Value = strconv.Quote(version)
				}
			}
		}
	}
}
