package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page for administrators names every address that programs may ask. It writes
// several that begin alike as the first one and …/ with the rest of the others.
func TestPageNamesEveryRoute(t *testing.T) {
	b, err := os.ReadFile("../../docs/management.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	names := strings.NewReplacer("{seq}", "N", "{id}", "N", "{form}", "pdf")
	for _, r := range newLab(t).site.routes() {
		path, ok := strings.CutPrefix(names.Replace(r.path), "/api/v1/")
		if !ok {
			continue
		}
		named := strings.Contains(page, "/api/v1/"+path)
		for rest := path; !named && rest != ""; {
			named = strings.Contains(page, "`…/"+rest+"`")
			_, rest, _ = strings.Cut(rest, "/")
		}
		if !named {
			t.Errorf("docs/management.md does not name %s %s", r.method, r.path)
		}
	}
}

// It names every figure for Prometheus, with its labels.
func TestPageNamesFigures(t *testing.T) {
	page, err := os.ReadFile("../../docs/management.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`newMetric\(prometheus\.\w+, "(\w+)", "[^"]*"((?:, "\w+")*)\)`).FindAllSubmatch(source, -1)
	if len(all) == 0 {
		t.Fatal("metrics.go has no figures that this test can read")
	}
	for _, m := range all {
		labels := strings.NewReplacer(`, "`, ", `", `"`, "`").Replace(strings.TrimPrefix(string(m[2]), ", "))
		if row := "| `" + string(m[1]) + "` | " + labels + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/management.md has no row that begins %s", row)
		}
	}
}
