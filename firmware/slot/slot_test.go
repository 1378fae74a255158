package slot

import "testing"

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		file  string
		want  Slot
		state string
	}{
		{"wirepatch_0.2.0.efi", Slot{Version: "0.2.0"}, "confirmed"},
		{"wirepatch_0.2.0+3.efi", Slot{"0.2.0", true, 3, 0}, "new"},
		{"wirepatch_0.2.0+2-1.efi", Slot{"0.2.0", true, 2, 1}, "on trial"},
		{"wirepatch_0.2.0+0-3.efi", Slot{"0.2.0", true, 0, 3}, "given up"},
		{"wirepatch_0.2.0+0-123.efi", Slot{"0.2.0", true, 0, 123}, "given up"}, // the boot loader counts on
		{"wirepatch_0.2.0+0.efi", Slot{"0.2.0", true, 0, 0}, "set aside"},
		{"wirepatch_1.0.0~rc1+3.efi", Slot{"1.0.0~rc1", true, 3, 0}, "new"},
	} {
		got, ok := Parse(tt.file)
		if !ok || got != tt.want || got.State() != tt.state {
			t.Errorf("Parse(%q) = %+v, %v, %s; want %+v, %s", tt.file, got, ok, got.State(), tt.want, tt.state)
		}
		if got.File() != tt.file {
			t.Errorf("File() = %q; want %q", got.File(), tt.file)
		}
	}
	if got, ok := Parse("WIREPATCH_0.2.0+3.EFI"); !ok || got.Left != 3 {
		t.Errorf("Parse of capitals = %+v, %v; want the slot", got, ok)
	}
	for _, f := range []string{"wirepatch_0.2.0+3.efi.new", "other.efi", "wirepatch_.efi", "wirepatch_../x.efi", "wirepatch_1+.efi", "wirepatch_1+333.efi"} {
		if got, ok := Parse(f); ok {
			t.Errorf("Parse(%q) = %+v; want none", f, got)
		}
	}
}

func TestCompare(t *testing.T) {
	// Each is older than the next.
	all := []string{"0.1.0~rc1", "0.1.0~rc2", "0.1.0", "0.1.1", "0.2", "0.10.0", "1.0.0-beta", "1.0.0", "1.0.0.1", "2"}
	for i, a := range all {
		for j, b := range all {
			got := Compare(a, b)
			if (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("Compare(%q, %q) = %d; want the order of %v", a, b, got, all)
			}
		}
	}
	if Compare("1.0", "1") != 0 {
		t.Error(`Compare("1.0", "1") is not 0`)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("wirepatch_0.2.0+2-1.efi")
	f.Fuzz(func(t *testing.T, file string) {
		if s, ok := Parse(file); ok {
			if again, ok := Parse(s.File()); !ok || again != s {
				t.Errorf("Parse(%q) = %+v, its file %q again %+v, %v", file, s, s.File(), again, ok)
			}
			Compare(s.Version, "1.0")
		}
	})
}
