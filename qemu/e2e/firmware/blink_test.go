package firmware

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/images/modules"
)

// withModule is what a firmware has beside a plain one to load a further module
// of its kernel.
func withModule(t *testing.T, name string) []cpio.Record {
	t.Helper()
	text, err := os.ReadFile(image(t, "bom.json"))
	if err != nil {
		t.Fatal(err)
	}
	var built struct {
		Kernel  struct{ Name string }
		Modules []string
	}
	if err := json.Unmarshal(text, &built); err != nil {
		t.Fatal(err)
	}
	release := strings.TrimPrefix(built.Kernel.Name, "linux-image-")
	found, err := filepath.Glob(filepath.Join(image(t, "cache"), built.Kernel.Name+"_*", "lib", "modules", release))
	if err != nil || len(found) == 0 {
		t.Fatalf("the kernel's modules are not in the image's cache: %v\nbuild it with: make test-image", err)
	}
	tree, err := modules.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	more, err := tree.Pick([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	order := strings.Join(built.Modules, "\n") + "\n"
	var out []cpio.Record
	for _, m := range more {
		out = append(out, cpio.StaticFile("lib/modules/"+m.Name+".ko", string(m.Image), 0o644))
		order += m.Name + "\n"
	}
	return append(out, cpio.StaticFile("lib/modules/order", order, 0o644))
}

// TestBlink: a port's light blinks where its driver has one, and where it has
// none that is said.
func TestBlink(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.config.More = []string{"-netdev", "user,id=more,restrict=on", "-device", "e1000e,netdev=more,romfile=,addr=0xa"}
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: withModule(t, "e1000e")}.build(t)})
	m.on()
	m.wait(`9 blink a port`)
	for port, lights := range map[string]bool{"wire-a": false, "eth3": true} {
		m.typed("9")
		m.wait(`Which port`)
		m.typed(port)
		// Lines of the log may come between.
		said := m.wait(`It blinks for 10 seconds((?s:.*?))9 blink a port`)[1]
		if refused := strings.Contains(said, "blink "+port+": operation not supported"); refused == lights {
			t.Errorf("blink %s says %q; want it to blink: %v", port, clean(said), lights)
		}
	}
}
