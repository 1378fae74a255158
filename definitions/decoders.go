package main

import (
	"fmt"
	"os"
	"path/filepath"

	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
)

// definitionsFolder is where the definitions lie, seen from the top of the
// repository or from this folder.
func definitionsFolder() string {
	if _, err := os.Stat(folder); err != nil {
		return "."
	}
	return folder
}

// describedIn is the folder whose protocols go with the definitions that paths
// name: the first of them, or what it lies in, that has some; else the
// repository's own.
func describedIn(paths []string) string {
	for _, p := range paths {
		of := filepath.Dir(filepath.Clean(p))
		for _, dir := range []string{p, of, filepath.Dir(of)} {
			if info, err := os.Stat(filepath.Join(dir, patch.ProtocolFolder)); err == nil && info.IsDir() {
				return dir
			}
		}
	}
	return definitionsFolder()
}

// allDecoders are the firmware's and those that are described beside the
// definitions that paths name. Faults of descriptions are told at once: definitions for them then
// lack their protocol.
func allDecoders(paths ...string) map[string]patch.Decoder {
	set, errs := decoders.Load(describedIn(paths))
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, err)
	}
	return set.ForDefinitions()
}
