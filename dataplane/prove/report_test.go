package prove

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A run about some definitions leaves what is known of the others; one about all
// leaves nothing else.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	k := Record{Page: filepath.Join(dir, "page.md"), JSON: filepath.Join(dir, "proofs.json")}
	if err := os.WriteFile(k.Page, []byte("before\n"+tableBegin+"stale\n"+tableEnd+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := Result{ID: "WP-1", Triggers: 3, Equivalent: 3, Harmless: 5, versions: [2]string{"x 1", "x 2"}}
	b := Result{ID: "WP-2", Triggers: 2, Equivalent: 1, Harmless: 5, Harmed: 1, versions: [2]string{"y 1", "y 2"}}
	again := Result{ID: "WP-2", versions: b.versions, failed: errors.New("no network")}
	for _, step := range []struct {
		name    string
		results []Result
		all     bool
		rows    string
		json    string
	}{
		{"the first", []Result{b}, false, "| WP-2 | y 1 | y 2 | 50 % of 2 | 1 of 5 |\n", "WP-2 2 1 5 1\n"},
		{"another", []Result{a}, false, "| WP-1 | x 1 | x 2 | 100 % of 3 | 0 of 5 |\n| WP-2 | y 1 | y 2 | 50 % of 2 | 1 of 5 |\n", "WP-1 3 3 5 0\nWP-2 2 1 5 1\n"},
		{"one that could not be proved", []Result{again}, false, "| WP-1 | x 1 | x 2 | 100 % of 3 | 0 of 5 |\n| WP-2 | y 1 | y 2 | not proved | |\n", "WP-1 3 3 5 0\nWP-2 0 0 0 0\n"},
		{"all there are", []Result{a}, true, "| WP-1 | x 1 | x 2 | 100 % of 3 | 0 of 5 |\n", "WP-1 3 3 5 0\n"},
	} {
		if err := k.Keep(step.results, step.all); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		page, err := os.ReadFile(k.Page)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before\n"+tableBegin+tableHead+step.rows+tableEnd+"after\n", string(page)); diff != "" {
			t.Errorf("%s: page (-want +got)\n%s", step.name, diff)
		}
		kept, err := merge(k.JSON, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.json, figures(kept)); diff != "" {
			t.Errorf("%s: file (-want +got)\n%s", step.name, diff)
		}
	}
	if Whole([]Result{a, b}) || Whole([]Result{a, again}) || !Whole([]Result{a}) || Whole(nil) {
		t.Error("Whole does not tell a run in which all holds from others")
	}
}

func figures(results []Result) (text string) {
	for _, r := range results {
		text += fmt.Sprintln(r.ID, r.Triggers, r.Equivalent, r.Harmless, r.Harmed)
	}
	return text
}

// A pair that cannot be installed does not keep the others from being proved.
func TestOneThatCannotBeInstalled(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"WP-2014-3744", "WP-2022-41919"} {
		if err := os.CopyFS(filepath.Join(dir, id), os.DirFS(filepath.Join("..", "..", "definitions", id))); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(dir, "WP-2014-3744", "proof", FileName)
	text, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("fixed: {npm: {st: "), []byte("fixed: {npm: {st: 99."), 1)
	if err := os.WriteFile(broken, text, 0o644); err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), Options{Definitions: dir, Out: filepath.Join("..", "..", "out", "prove"), Quick: true, Jobs: 2, Log: logTo{t}})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[0].failed == nil || !results[1].whole() || Whole(results) {
		t.Errorf("results = %+v; want that the first was not installed, and the second proved", results)
	}
}
