package settings

import (
	"fmt"
	"path/filepath"
)

// Format is the number of the form of appliance.ini that this firmware reads. It
// goes up, with a step below, whenever the firmware before could not read what
// this one may write: a new section or key is reason enough. Each format has a
// place of its own, so that the firmware in the other slot finds its settings as
// it left them.
const Format = 1

// steps take a text from one format to the next, the first from 1 to 2.
var steps = []func(*Editor) error{}

// DataFolder is where the data partition is mounted.
const DataFolder = "/data"

// Place is where the settings of one format lie.
type Place struct {
	Owner  string // appliance.ini
	Folder string // what was in force before, and what waits to be confirmed
}

// PlaceOf returns the place of a format in a data folder.
func PlaceOf(data string, format int) Place {
	if format == 1 {
		return Place{filepath.Join(data, "appliance.ini"), filepath.Join(data, "settings")}
	}
	dir := filepath.Join(data, fmt.Sprintf("settings.%d", format))
	return Place{filepath.Join(dir, "appliance.ini"), dir}
}

// Migrate takes a text from an earlier format to this firmware's.
func Migrate(text string, from int) (string, error) {
	if from < 1 || from > Format {
		return "", fmt.Errorf("settings of format %d; this firmware knows 1 to %d", from, Format)
	}
	if from == Format {
		return text, nil
	}
	e := Edit(text)
	for i, step := range steps[from-1:] {
		if err := step(e); err != nil {
			return "", fmt.Errorf("bring the settings from format %d to %d: %w", from+i, from+i+1, err)
		}
	}
	return e.String(), nil
}
