package main

import (
	"os"
	"path/filepath"
	"testing"

	"wirepatch/dataplane/patch"
)

// Every definition of this folder is loaded as an appliance loads it: parsed,
// compiled, and proved by its own tests through the real decoder.
func TestDefinitions(t *testing.T) {
	set, errs := patch.Load(".", allDecoders(), nil)
	for _, err := range errs {
		t.Error(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(e.Name(), patch.FileName)); err == nil {
			folders++
		}
	}
	if n := len(set.Definitions()); n != folders || n == 0 {
		t.Errorf("Load found %d definitions in %d folders; want one in each", n, folders)
	}
}
