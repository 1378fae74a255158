package prove

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// line is a result for people.
func (r *Result) line() string {
	if r.failed != nil {
		return fmt.Sprintf("FAIL  %-16s not proved: %v", r.ID, r.failed)
	}
	say := "ok   "
	if !r.whole() {
		say = "FAIL "
	}
	s := fmt.Sprintf("%s %-16s %d of %d triggers equivalent, %d of %d harmless harmed, %s", say, r.ID, r.Equivalent, r.Triggers, r.Harmed, r.Harmless,
		r.took.Round(time.Second))
	if r.faults > 0 {
		s += fmt.Sprintf("; %d exchanges are not what the proof says", r.faults)
	}
	return s
}

// Whole says whether all that was proved holds.
func Whole(results []Result) bool {
	for i := range results {
		if !results[i].whole() {
			return false
		}
	}
	return len(results) > 0
}

// Record is where results are kept: a page for people, a file for programs.
// Either may be empty.
type Record struct{ Page, JSON string }

// Keep puts results into the record, each in place of the earlier one of its
// definition. The others stay, unless all is true: then these are all there are.
func (k Record) Keep(results []Result, all bool) error {
	if k.Page != "" {
		if err := k.page(results, all); err != nil {
			return err
		}
	}
	if k.JSON == "" {
		return nil
	}
	kept, err := merge(k.JSON, results, all)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(k.JSON, append(b, '\n'), 0o644)
}

// merge adds to results those that the file has of other definitions.
func merge(path string, results []Result, all bool) ([]Result, error) {
	var old []Result
	b, err := os.ReadFile(path)
	switch {
	case all || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(b, &old); err != nil {
			return nil, fmt.Errorf("%s: %w; remove it", path, err)
		}
	}
	byID := map[string]Result{}
	for _, r := range append(old, results...) {
		byID[r.ID] = r
	}
	kept := []Result{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		kept = append(kept, byID[id])
	}
	return kept, nil
}

// The table of a page stands between these lines.
const tableBegin, tableEnd = "<!-- measured -->\n", "<!-- /measured -->\n"

const tableHead = "| definition | vulnerable | fixed | equivalence | harm |\n|---|---|---|---|---|\n"

// page puts rows into the table of the page.
func (k Record) page(results []Result, all bool) error {
	b, err := os.ReadFile(k.Page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), tableBegin)
	table, after, ends := strings.Cut(rest, tableEnd)
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the table; want the lines %q and %q", k.Page, tableBegin, tableEnd)
	}
	rows := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(table, tableHead)) {
		if cells := strings.Split(line, "|"); len(cells) > 1 && !all {
			rows[strings.TrimSpace(cells[1])] = line
		}
	}
	for i := range results {
		rows[results[i].ID] = results[i].row()
	}
	text := before + tableBegin + tableHead
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		text += rows[id]
	}
	return atomicfile.Write(k.Page, []byte(text+tableEnd+after), 0o644)
}

// row is the result in the table.
func (r *Result) row() string {
	if r.failed != nil {
		return fmt.Sprintf("| %s | %s | %s | not proved | |\n", r.ID, r.versions[0], r.versions[1])
	}
	return fmt.Sprintf("| %s | %s | %s | %s of %d | %d of %d |\n", r.ID, r.versions[0], r.versions[1], percentage(r.Equivalent, r.Triggers), r.Triggers,
		r.Harmed, r.Harmless)
}

// Table is the results as a table in Markdown.
func Table(results []Result) string {
	text := tableHead
	for i := range results {
		text += results[i].row()
	}
	return text
}

// percentage is rounded down: 100 % means all.
func percentage(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%g %%", float64(n*1000/of)/10)
}
