package decoders

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/board/settings"
)

// TestSettingsKnowAll: a service can ask for every decoder, and for no other.
func TestSettingsKnowAll(t *testing.T) {
	want := slices.Sorted(maps.Keys(all))
	got := slices.Sorted(slices.Values(settings.Protocols))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("settings.Protocols differ from the decoders (-want +got):\n%s", d)
	}
}

func TestSchemasAreNamed(t *testing.T) {
	for name, d := range ForDefinitions() {
		if d.Schema.Protocol != name {
			t.Errorf("the decoder %q has the schema of %q", name, d.Schema.Protocol)
		}
	}
}
