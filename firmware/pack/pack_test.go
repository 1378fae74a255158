package pack

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	root := fstest.MapFS{"WP-2/patch.yaml": {Data: []byte("two")}, "WP-1/patch.yaml": {Data: []byte("one")}, "WP-1/proof/x": {Data: []byte("no")}, "README.md": {}}
	p, err := Collect(root, 5)
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	if err := p.Write(&one); err != nil {
		t.Fatal(err)
	}
	p.Write(&two)
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two packs of the same definitions differ")
	}
	got, err := Read(&one)
	if err != nil {
		t.Fatal(err)
	}
	want := &Pack{5, map[string][]byte{"WP-1/patch.yaml": []byte("one"), "WP-2/patch.yaml": []byte("two")}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Read (-want +got):\n%s", d)
	}
	dir := filepath.Join(t.TempDir(), "5")
	if err := got.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "WP-2", "patch.yaml")); err != nil || string(b) != "two" {
		t.Errorf("unpacked WP-2 = %q, %v; want two", b, err)
	}
}

func TestFaults(t *testing.T) {
	for name, p := range map[string]Pack{
		"no revision":     {0, nil},
		"path out of it":  {1, map[string][]byte{"../x/patch.yaml": nil}},
		"another file":    {1, map[string][]byte{"WP-1/evil.sh": nil}},
		"an absolute one": {1, map[string][]byte{"/WP-1/patch.yaml": nil}},
	} {
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); err == nil {
			t.Errorf("Read of a pack with %s = nil; want an error", name)
		}
	}
	if _, err := Read(strings.NewReader("")); err == nil {
		t.Error("Read of nothing = nil; want an error")
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	(&Pack{3, map[string][]byte{"WP-1/patch.yaml": []byte("x")}}).Write(&b)
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:700])
	f.Fuzz(func(t *testing.T, b []byte) { Read(bytes.NewReader(b)) })
}
