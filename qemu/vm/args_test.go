package vm

import (
	"strings"
	"testing"

	"wirepatch/board"
)

// TestArgsFitBoard: the ports are where the board file looks for them.
func TestArgsFitBoard(t *testing.T) {
	text, err := board.Text("qemu")
	if err != nil {
		t.Fatal(err)
	}
	b, err := board.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Kernel: "k", Initrd: "i", Dir: "/d,e", WireA: "/d,e/a", WireB: "/d,e/b", Management: "127.0.0.1:8443"}
	args, err := c.args(TCG)
	if err != nil {
		t.Fatal(err)
	}
	for netdev, port := range map[string]board.Port{"a": b.WireA, "b": b.WireB, "m": b.Management} {
		slot := strings.TrimSuffix(strings.TrimPrefix(port.Path, "0000:00:0"), ".0")
		found := false
		for _, a := range args {
			found = found || strings.HasPrefix(a, "virtio-net-pci,netdev="+netdev+",") && strings.HasSuffix(a, ",addr=0x"+slot)
		}
		if !found {
			t.Errorf("args() = %q; want netdev %s at PCI slot %s, where the board has its %s", args, netdev, slot, port.Role)
		}
	}
	all := strings.Join(args, "\n")
	for _, want := range []string{
		"stream,id=a,server=off,addr.type=unix,addr.path=/d,,e/a",
		"user,id=m,hostfwd=tcp:127.0.0.1:8443-:443",
		"console=ttyS0 no_timer_check",
		"-accel\ntcg,thread=multi\n-cpu\nmax,-cx16",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("args() = %q; want %q in it", args, want)
		}
	}
	if strings.Contains(all, "kvm") {
		t.Errorf("args(TCG) = %q; want no KVM", args)
	}
}

func TestArgsAddress(t *testing.T) {
	c := Config{Management: "nonsense"}
	if _, err := c.args(TCG); err == nil {
		t.Error("args() = nil error; want one about the management address")
	}
}
