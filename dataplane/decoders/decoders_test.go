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

// TestSettingsKnowTransports: a service is handed up over what its decoder reads.
func TestSettingsKnowTransports(t *testing.T) {
	for name, d := range all {
		var want []settings.Transport
		if d.NewDatagram != nil {
			want = append(want, settings.UDP)
		}
		if d.New != nil {
			want = append(want, settings.TCP)
		}
		if got := settings.Transports(name); !slices.Equal(got, want) {
			t.Errorf("settings.Transports(%q) = %q; want %q", name, got, want)
		}
	}
}

func TestSchemasAreNamed(t *testing.T) {
	for name, d := range ForDefinitions() {
		if d.Schema.Protocol != name {
			t.Errorf("the decoder %q has the schema of %q", name, d.Schema.Protocol)
		}
	}
}
