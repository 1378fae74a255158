package spdx

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Script is a library from npm that is embedded in the program.
type Script struct {
	Name, Version, License string
}

// Scripts reads which libraries are embedded, in the order of their names, from
// a package.json that names the licence of each of its dependencies, too.
func Scripts(file string) ([]Script, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Dependencies, Licenses map[string]string
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var all []Script
	for _, name := range slices.Sorted(maps.Keys(list.Dependencies)) {
		license := list.Licenses[name]
		if license == "" {
			return nil, fmt.Errorf("%s: no licence of %s; add its SPDX identifier to \"licenses\"", file, name)
		}
		all = append(all, Script{name, list.Dependencies[name], license})
	}
	return all, nil
}
