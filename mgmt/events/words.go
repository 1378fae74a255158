package events

import (
	"slices"
	"strings"
	"unicode"

	"wirepatch/mgmt/wire"
)

// words is what a record can be found by: its words as they stand, and where
// they are put together, as request.header is, the parts too.
func words(r wire.Record) string {
	all := []string{r.Kind, r.Source, r.Text, r.Service, r.Client, host(r.Client), r.Server, host(r.Server)}
	if v := r.Evidence; v != nil {
		all = append(all, v.Definition, v.Mode, v.Action, v.Element, v.Note)
	}
	var out []string
	seen := map[string]bool{}
	add := func(w string) {
		if w != "" && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	for _, text := range all {
		for _, w := range split(text) {
			add(w)
			for _, part := range strings.FieldsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) }) {
				if len(part) > 2 {
					add(part)
				}
			}
		}
	}
	return strings.Join(out, " ")
}

const inner = "-._:/@" // what holds a word together, as the index is told

// split cuts text into words.
func split(text string) []string {
	all := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune(inner, r)
	})
	for i, w := range all {
		all[i] = strings.Trim(w, inner)
	}
	return slices.DeleteFunc(all, func(w string) bool { return w == "" })
}

// match is the index's question for records with all words of text; the last
// one, when it has only letters, may be the beginning of a word. "" when there is none.
func match(text string) string {
	all := split(text)
	if len(all) > 8 {
		all = all[:8]
	}
	if len(all) == 0 {
		return ""
	}
	begun := ""
	if strings.IndexFunc(all[len(all)-1], func(r rune) bool { return !unicode.IsLetter(r) }) < 0 {
		begun = "*"
	}
	for i, w := range all {
		all[i] = `"` + w + `"`
	}
	return strings.Join(all, " AND ") + begun
}
