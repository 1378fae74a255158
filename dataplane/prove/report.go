package prove

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// line is a result for people.
func (r *Result) line() string {
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

// WriteJSON writes the results for programs.
func WriteJSON(path string, results []Result) error {
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(b, '\n'), 0o644)
}

// Table is the results as a table in Markdown.
func Table(results []Result) string {
	var b strings.Builder
	b.WriteString("| definition | vulnerable | fixed | equivalence | harm |\n|---|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s of %d | %d of %d |\n", r.ID, r.versions[0], r.versions[1], percentage(r.Equivalent, r.Triggers), r.Triggers,
			r.Harmed, r.Harmless)
	}
	return b.String()
}

// percentage is rounded down: 100 % means all.
func percentage(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%g %%", float64(n*1000/of)/10)
}
