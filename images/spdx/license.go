package spdx

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// licenses tells a licence by words that only its text has, the first that fits.
var licenses = []struct {
	id    string
	words []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software"}},
	{"MIT", []string{"permission is hereby granted, free of charge"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"Unlicense", []string{"this is free and unencumbered software"}},
}

// Identify returns the SPDX identifier of a licence's text, "" when it is none
// of those that it knows.
func Identify(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
next:
	for _, l := range licenses {
		for _, w := range l.words {
			if !strings.Contains(text, w) {
				continue next
			}
		}
		return l.id
	}
	return ""
}

// FromCache returns a Source's License that reads the modules' own files in Go's
// module cache.
func FromCache(cache string) func(path, version string) string {
	return func(path, version string) string {
		p, err := module.EscapePath(path)
		if err != nil {
			return ""
		}
		v, err := module.EscapeVersion(version)
		if err != nil {
			return ""
		}
		dir := filepath.Join(cache, filepath.FromSlash(p)+"@"+v)
		for _, n := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "License", "license", "LICENSE-MIT"} {
			if text, err := os.ReadFile(filepath.Join(dir, n)); err == nil {
				return Identify(string(text))
			}
		}
		return ""
	}
}
