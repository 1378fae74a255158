package modules

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// maxModule is the most that one module may unpack to, in bytes.
const maxModule = 64 << 20

// Module is one module of the image.
type Module struct {
	Name  string
	Image []byte // the ELF file, not compressed
	// Optional: another one can take its part, or the machine may lack what it
	// is for; that it does not load is no fault.
	Optional bool
}

// Tree is the modules of one kernel.
type Tree struct {
	fsys    fs.FS
	release string
	files   map[string]string // canonical name to path
	builtin map[string]bool
	infos   map[string]Info
	images  map[string][]byte
}

// Open reads which modules the folder of a kernel (lib/modules/RELEASE) has.
func Open(dir string) (*Tree, error) {
	t := &Tree{fsys: os.DirFS(dir), release: path.Base(dir), files: map[string]string{}, builtin: map[string]bool{},
		infos: map[string]Info{}, images: map[string][]byte{}}
	err := fs.WalkDir(t.fsys, "kernel", func(p string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(path.Base(p), ".ko"); ok && err == nil {
			t.files[canonical(name)] = p
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list modules of kernel %s: %w", t.release, err)
	}
	list, err := fs.ReadFile(t.fsys, "modules.builtin")
	if err != nil {
		return nil, fmt.Errorf("list what kernel %s has built in: %w", t.release, err)
	}
	for p := range strings.FieldsSeq(string(list)) {
		t.builtin[canonical(strings.TrimSuffix(path.Base(p), ".ko"))] = true
	}
	return t, nil
}

// Pick returns the modules with the given names and all that they need, each
// after what it depends on, the optional ones first.
func (t *Tree) Pick(names []string, optional ...string) ([]Module, error) {
	p := picker{tree: t, state: map[string]int{}}
	for _, n := range optional {
		if err := p.add(canonical(n), true); err != nil {
			return nil, fmt.Errorf("module %s: %w", n, err)
		}
	}
	for _, n := range names {
		if err := p.add(canonical(n), false); err != nil {
			return nil, fmt.Errorf("module %s: %w", n, err)
		}
	}
	return p.out, nil
}

type picker struct {
	tree  *Tree
	state map[string]int // 0 unknown, 1 its dependencies are being added, 2 done
	out   []Module
}

func (p *picker) add(name string, optional bool) error {
	switch {
	case p.tree.builtin[name] || p.state[name] == 2:
		if !optional {
			p.require(name)
		}
		return nil
	case p.state[name] == 1:
		return fmt.Errorf("%s depends on itself", name)
	}
	p.state[name] = 1
	info, image, err := p.tree.load(name)
	if err != nil {
		return err
	}
	for _, d := range info.Depends {
		if err := p.add(d, optional); err != nil {
			return fmt.Errorf("%s depends on %w", name, err)
		}
	}
	for _, s := range info.Pre {
		for _, m := range p.tree.providers(s) {
			// A soft dependency that comes back here is no fault: it is soft.
			if p.state[m] == 1 {
				continue
			}
			if err := p.add(m, true); err != nil {
				return fmt.Errorf("%s depends on %w", name, err)
			}
		}
	}
	p.state[name] = 2
	p.out = append(p.out, Module{Name: name, Image: image, Optional: optional})
	return nil
}

// require marks a module that so far was only wished for as needed.
func (p *picker) require(name string) {
	if i := slices.IndexFunc(p.out, func(m Module) bool { return m.Name == name }); i >= 0 {
		p.out[i].Optional = false
	}
}

// providers finds the modules that a soft dependency may mean: the one of that
// name, or all with that alias. Aliases are looked for among the crypto modules
// only: no others are asked for in this way, and there are thousands.
func (t *Tree) providers(want string) []string {
	if _, ok := t.files[canonical(want)]; ok || t.builtin[canonical(want)] {
		return []string{canonical(want)}
	}
	var out []string
	for name, p := range t.files {
		if !strings.Contains(path.Dir(p)+"/", "/crypto/") {
			continue
		}
		if info, _, err := t.load(name); err == nil && slices.Contains(info.Aliases, want) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (t *Tree) load(name string) (Info, []byte, error) {
	if image, ok := t.images[name]; ok {
		return t.infos[name], image, nil
	}
	file, ok := t.files[name]
	if !ok {
		return Info{}, nil, fmt.Errorf("%s, which kernel %s does not have", name, t.release)
	}
	image, err := t.read(file)
	if err != nil {
		return Info{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	info, err := ParseInfo(image)
	if err != nil {
		return Info{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	if info.Version != t.release {
		return Info{}, nil, fmt.Errorf("%s: it is for kernel %q; want %q", file, info.Version, t.release)
	}
	t.infos[name], t.images[name] = info, image
	return info, image, nil
}

func (t *Tree) read(file string) ([]byte, error) {
	b, err := fs.ReadFile(t.fsys, file)
	if err != nil || !strings.HasSuffix(file, ".xz") {
		return b, err
	}
	r, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err == nil && len(out) > maxModule {
		err = fmt.Errorf("more than %d bytes", maxModule)
	}
	return out, err
}
