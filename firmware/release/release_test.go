package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReleaseRoundTrip(t *testing.T) {
	want := &Release{Version: Version, Board: "qemu", Kernel: "6.12.1+deb12-amd64", KernelPackage: "linux-image-6.12.1+deb12-amd64",
		KernelVersion: "6.12.1-1~deb12u1", KernelSHA256: "00ff", DebugShell: true}
	text, err := want.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Parse(Text()) (-want +got):\n%s", d)
	}
}

func TestReleaseIsClosedByDefault(t *testing.T) {
	r, err := Parse([]byte("version = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r.DebugShell {
		t.Error("a release file without debug_shell offers the shell; want it not to")
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add([]byte("version = 1\nboard = qemu\ndebug_shell = true\n"))
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b) })
}
