package prove

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

	"wirepatch/dataplane/patch"
)

// FileName is the name of the file that describes a proof, in the folder proof
// of its definition.
const FileName = "proof.yaml"

// proof is what FileName says.
type proof struct {
	Vulnerable version           `yaml:"vulnerable"`
	Fixed      version           `yaml:"fixed"`
	Start      string            `yaml:"start"`      // command line; see serverCommand for its variables
	Prepare    string            `yaml:"prepare"`    // command line, once after the installation
	Over       string            `yaml:"over"`       // "tcp", also when empty, or "udp": each step is a datagram then
	Probe      string            `yaml:"probe"`      // target of the request that shows whether session and server live
	Volatile   []string          `yaml:"volatile"`   // patterns of what differs from answer to answer, beyond the Date
	Without    []string          `yaml:"without"`    // mutations that make no sense here
	Also       []string          `yaml:"also"`       // definitions that are on beside this one
	Parameters map[string]string `yaml:"parameters"` // of the definition, as appliance.ini has them
	Before     []step            `yaml:"before"`     // what goes before every exchange of lines or packets
	After      []step            `yaml:"after"`      // and behind, once the server has come to rest
	Clients    []string          `yaml:"clients"`    // command lines of real clients, which say harmless things
	Browser    []string          `yaml:"browser"`    // scripts for a page of the browser's, each promises a text
	Harmless   []entry           `yaml:"harmless"`
	Triggers   []entry           `yaml:"triggers"`

	definition *patch.Definition
	folder     string
	volatile   []*regexp.Regexp
}

// version is how to get one version of the server.
type version struct {
	NPM     map[string]string `yaml:"npm"`     // packages and their exact versions
	Node    string            `yaml:"node"`    // of the Node.js that runs it; DefaultNode when empty
	ModFile string            `yaml:"modfile"` // of the Go program in the proof's folder
	Go      string            `yaml:"go"`      // toolchain that builds it, as go1.24.1; the present one when empty
}

// leastHarmless is how many harmless exchanges a proof has, before mutations.
const leastHarmless = 30

// DefaultNode is the Node.js that servers run on, so that what Node itself
// answers does not depend on the machine.
const DefaultNode = "20.19.0"

// load reads the proof of a definition.
func load(dir string) (*proof, error) {
	d, err := patch.ReadFile(filepath.Join(dir, patch.FileName))
	if err != nil {
		return nil, err
	}
	p := &proof{definition: d, folder: filepath.Join(dir, "proof"), Probe: "/"}
	file := filepath.Join(p.folder, FileName)
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the proof of %s: %w", d.ID, err)
	}
	if err := yaml.UnmarshalWithOptions(text, p, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))
	}
	if err := errors.Join(p.read(), p.withCommon(), p.check()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// read makes of the exchanges what they are in the protocol.
func (p *proof) read() error {
	var errs []error
	for i := range p.After {
		p.After[i].calm = true // what it asks for is to be told from what comes before
	}
	for _, list := range [][]entry{p.Triggers, p.Harmless} {
		for i := range list {
			errs = append(errs, list[i].read(p.definition.Protocol))
		}
	}
	return errors.Join(errs...)
}

func (p *proof) check() error {
	var errs []error
	for _, v := range append([]string{`(?mi)^date: [^\r\n]*\r\n`}, p.Volatile...) {
		r, err := regexp.Compile(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("volatile: %w", err))
			continue
		}
		p.volatile = append(p.volatile, r)
	}
	if p.Start == "" {
		errs = append(errs, errors.New("start is missing; want the server's command line"))
	}
	if len(p.Triggers) == 0 || len(p.Harmless) < leastHarmless {
		errs = append(errs, fmt.Errorf("found %d triggers and %d harmless exchanges; want some, and at least %d", len(p.Triggers), len(p.Harmless), leastHarmless))
	}
	if p.Over != "" && p.Over != "tcp" && p.Over != "udp" {
		errs = append(errs, fmt.Errorf("over: found %q; want tcp or udp", p.Over))
	}
	without := slices.Clone(p.Without)
	for _, e := range slices.Concat(p.Triggers, p.Harmless) {
		without = append(without, e.without...)
	}
	for _, w := range without {
		if names := variantNames(p.definition.Protocol); !slices.Contains(names, w) {
			errs = append(errs, fmt.Errorf("without: no variant %q; want one of %s", w, strings.Join(names, ", ")))
		}
	}
	return errors.Join(errs...)
}

// same takes out of an answer what differs from one to the next. Lines stay lines,
// so that what is to be taken out of the next one is found.
func (p *proof) same(b []byte) string {
	for _, r := range p.volatile {
		b = r.ReplaceAllFunc(b, func(m []byte) []byte {
			if bytes.HasSuffix(m, []byte("\r\n")) {
				return []byte("~\r\n")
			}
			return []byte("~")
		})
	}
	return string(b)
}

// withProof lists the definitions under root that have a proof: those that ids
// names, or all.
func withProof(root string, ids []string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(root, "*", "proof", FileName))
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, f := range found {
		dirs = append(dirs, filepath.Dir(filepath.Dir(f)))
	}
	if len(ids) == 0 {
		return dirs, nil
	}
	var some []string
	for _, id := range ids {
		n := len(some)
		for _, d := range dirs {
			if base := filepath.Base(d); base == id || strings.TrimPrefix(base, "WP-") == strings.TrimPrefix(id, "CVE-") {
				some = append(some, d)
			}
		}
		if len(some) == n {
			return nil, fmt.Errorf("no proof for %q; want one of %s", id, strings.Join(bases(dirs), ", "))
		}
	}
	return some, nil
}

func bases(dirs []string) []string {
	var out []string
	for _, d := range dirs {
		out = append(out, filepath.Base(d))
	}
	return out
}
