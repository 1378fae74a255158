package inventory

import (
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"wirepatch/dataplane/control"
)

// Products reads of the definitions in a folder what they are for, which the
// dataplane does not tell. The dataplane has checked them; a file that cannot be
// read here is left out, and its definition then stands in for nothing.
func Products(folder string) map[string]Definition {
	all := map[string]Definition{}
	files, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
	nested, _ := filepath.Glob(filepath.Join(folder, "*", "patch.yaml"))
	for _, f := range append(files, nested...) {
		text, err := os.ReadFile(f)
		if err != nil || len(text) > 1<<20 {
			continue
		}
		var d struct {
			ID       string
			Proof    string
			Protocol string
			Product  struct {
				Name, CPE string
				Affected  []string
			}
		}
		if yaml.Unmarshal(text, &d) != nil || d.ID == "" {
			continue
		}
		all[d.ID] = Definition{CPE: d.Product.CPE, Product: d.Product.Name, Protocol: d.Protocol, Affected: d.Product.Affected, Proof: d.Proof}
	}
	return all
}

// Loaded puts together what the wire says of its definitions and what they are
// for.
func Loaded(status *control.Status, products map[string]Definition) (all []Definition) {
	if status == nil {
		return nil
	}
	for _, d := range status.Definitions {
		p := products[d.ID]
		p.Definition = d
		all = append(all, p)
	}
	return all
}
