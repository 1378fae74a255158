// Package multicall builds one static binary out of many Go commands, each
// called by the name of the link that it is started through.
//
// The commands' sources are rewritten by u-root's gobusybox. The result is then
// compiled as a part of this module, through a build overlay, and not, as
// gobusybox itself does, in a GOPATH of its own: there packages whose path has no
// dot (all of ours) get lost, go.mod's versions are not checked and its Go
// version is not known, so that old security defaults (GODEBUG) come back.
package multicall

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/gobusybox/src/pkg/bb/bbinternal"
	"golang.org/x/tools/go/packages"
)

// module is the path of the module that is built.
const module = "wirepatch"

// virtual is where the rewritten foreign commands and the main package seem to
// lie. Nothing is written there.
const virtual = "images/multicall/generated"

// Options say what to build.
type Options struct {
	Root     string            // of the repository
	Work     string            // folder for generated sources; it is emptied
	Output   string            // the binary
	Packages []string          // import paths of the commands
	Aliases  map[string]string // further name to command
	Version  string            // what our programs' variable version is set to
	Log      io.Writer         // what the compiler says
}

// flags are the same for loading and for building, so that both share Go's
// build cache.
var flags = []string{"-trimpath", "-buildvcs=false"}

// Build builds the binary and returns the names of its commands, sorted.
func Build(ctx context.Context, o Options) ([]string, error) {
	for _, p := range []*string{&o.Root, &o.Work, &o.Output} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = abs
	}
	pkgs, err := load(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(o.Work); err != nil {
		return nil, err
	}
	names, overlay, err := rewrite(o, pkgs)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Work, "overlay.json")
	text, err := json.MarshalIndent(map[string]any{"Replace": overlay}, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return nil, err
	}
	args := append([]string{"build", "-overlay", file, "-ldflags=-s -w -buildid=", "-o", o.Output}, flags...)
	c := exec.CommandContext(ctx, "go", append(args, "./"+virtual)...)
	c.Dir, c.Env, c.Stdout, c.Stderr = o.Root, env(), o.Log, o.Log
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", filepath.Base(o.Output), err)
	}
	return names, nil
}

func env() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOFLAGS=")
}

// load reads and type-checks the commands' own files; their dependencies come
// as compiled.
func load(ctx context.Context, o Options) ([]*packages.Package, error) {
	pkgs, err := packages.Load(&packages.Config{
		Context: ctx, Dir: o.Root, Env: env(), BuildFlags: flags,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedTypes |
			packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedModule | packages.NeedEmbedFiles,
	}, o.Packages...)
	if err != nil {
		return nil, fmt.Errorf("load the image's programs: %w", err)
	}
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("load %s: %w", p.PkgPath, p.Errors[0])
		}
		if p.Name != "main" {
			return nil, fmt.Errorf("load %s: it is package %s; want a program", p.PkgPath, p.Name)
		}
	}
	slices.SortFunc(pkgs, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	return pkgs, nil
}

// rewrite turns each program into a package that registers itself and writes
// the main package that runs them.
func rewrite(o Options, pkgs []*packages.Package) (names []string, overlay map[string]string, err error) {
	overlay = map[string]string{}
	var imports []string
	for _, p := range pkgs {
		name := path.Base(p.PkgPath)
		if slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("two programs have the name %s", name)
		}
		dir, ours := filepath.Join(o.Work, name), strings.HasPrefix(p.PkgPath, module+"/")
		if ours {
			setVersion(p.Syntax, o.Version)
		}
		if err := bbinternal.NewPackage(name, p).Rewrite(dir, "github.com/u-root/gobusybox/src/pkg/bb/bbmain"); err != nil {
			return nil, nil, fmt.Errorf("rewrite %s: %w", p.PkgPath, err)
		}
		// Ours keep their place, so that internal packages and embedded files
		// stay within reach; foreign ones cannot be overlaid in the module cache.
		at, as := filepath.Dir(p.GoFiles[0]), p.PkgPath
		if ours {
			if err := hideTests(at, overlay); err != nil {
				return nil, nil, err
			}
		} else {
			at, as = filepath.Join(o.Root, virtual, name), path.Join(module, virtual, name)
		}
		for _, f := range p.CompiledGoFiles {
			overlay[filepath.Join(at, filepath.Base(f))] = filepath.Join(dir, filepath.Base(f))
		}
		names, imports = append(names, name), append(imports, as)
	}
	slices.Sort(names)
	file := filepath.Join(o.Work, "main.go")
	overlay[filepath.Join(o.Root, virtual, "main.go")] = file
	text, err := mainSource(imports, o.Aliases)
	if err != nil {
		return nil, nil, err
	}
	return names, overlay, os.WriteFile(file, text, 0o644)
}

// hideTests takes a program's test files out of the build: they still say
// package main beside files that no longer do.
func hideTests(dir string, overlay map[string]string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, f := range all {
		overlay[f] = ""
	}
	return err
}
