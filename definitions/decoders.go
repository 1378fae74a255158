package main

import (
	"fmt"
	"os"

	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
)

// allDecoders are the firmware's and those that are described beside the
// definitions, seen from the top of the repository or from this folder. Faults of
// descriptions are told at once: definitions for them then lack their protocol.
func allDecoders() map[string]patch.Decoder {
	dir := folder
	if _, err := os.Stat(dir); err != nil {
		dir = "."
	}
	set, errs := decoders.Load(dir)
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, err)
	}
	return set.ForDefinitions()
}
