package multicall

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuild builds a binary of a foreign command and of one of ours.
func TestBuild(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bb")
	names, err := Build(t.Context(), Options{Root: "../..", Work: filepath.Join(dir, "work"), Output: bin, Log: os.Stderr,
		Packages: []string{"wirepatch/init", "github.com/u-root/u-root/cmds/core/echo"}, Aliases: map[string]string{"say": "echo", "confine": "init"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 || names[0] != "echo" || names[1] != "init" {
		t.Errorf("Build = %q; want echo and init", names)
	}
	for _, tt := range []struct {
		as, want string
		ok       bool
	}{
		{"echo", "one two\n", true},
		{"say", "one two\n", true},
		{"confine", "confine: no program to become; usage: confine OPTIONS -- PROGRAM ARGUMENTS\n", false},
		{"other", "other: no such program in this image\n", false},
	} {
		c := exec.Command(bin)
		c.Args = []string{tt.as}
		if tt.ok {
			c.Args = append(c.Args, "one", "two")
		}
		out, err := c.CombinedOutput()
		if string(out) != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s = %q, %v; want %q", tt.as, out, err, tt.want)
		}
	}
}

func TestBuildFaults(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"wirepatch/board", "wirepatch/nothing-here"} {
		if _, err := Build(t.Context(), Options{Root: "../..", Work: dir, Output: filepath.Join(dir, "bb"), Packages: []string{p}, Log: os.Stderr}); err == nil {
			t.Errorf("Build of %s = nil; want an error", p)
		}
	}
}

func TestSetVersion(t *testing.T) {
	const source = `package main

var (
	version = "development"
	other   = "development"
)

func main() { version := "local"; _ = version }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "main.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	setVersion([]*ast.File{f}, "1.2.3")
	var b strings.Builder
	if err := format.Node(&b, fset, f); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), strings.Replace(source, "development", "1.2.3", 1); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("setVersion made:\n%s\nwant only the package's variable changed", got)
	}
}
