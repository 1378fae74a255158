package prove

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A proof that names a variant which there is not is told which there are, and
// every proof of the product can be read.
func TestLoad(t *testing.T) {
	all, err := withProof(filepath.Join("..", "..", "definitions"), nil)
	if err != nil || len(all) == 0 {
		t.Fatalf("withProof finds %d proofs, %v", len(all), err)
	}
	for _, dir := range all {
		if _, err := load(dir); err != nil {
			t.Error(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "WP-2024-43796")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "definitions", "WP-2024-43796"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "proof", FileName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "[as HEAD]", "[as head]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(dir); err == nil || !strings.Contains(err.Error(), `no variant "as head"`) || !strings.Contains(err.Error(), "twice, ") {
		t.Errorf("load with a wrong variant = %v; want it to list those that there are", err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "harmless:\n", "harmless:\n  - {request: GET /other, without: [as head]}\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(dir); err == nil || !strings.Contains(err.Error(), `no variant "as head"`) {
		t.Errorf("load with a wrong variant of one exchange = %v; want it told", err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "harmless:\n", "harmless:\n  - {request: GET /other, without: [twice]}\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	named := func(e *entry) bool {
		return slices.ContainsFunc(p.variants(e, "x"), func(v variant) bool { return v.name == "twice" })
	}
	if named(&p.Harmless[0]) || !named(&p.Harmless[1]) {
		t.Error("a variant is left out of another exchange than of the one that says so")
	}
}
