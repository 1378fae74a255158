package main

import (
	"fmt"
	"os"

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

// allDecoders are the firmware's and those that are described beside the
// definitions. Faults of descriptions are told at once: definitions for them then
// lack their protocol.
func allDecoders() map[string]patch.Decoder {
	set, errs := decoders.Load(definitionsFolder())
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, err)
	}
	return set.ForDefinitions()
}
