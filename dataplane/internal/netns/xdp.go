package netns

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AttachBy readies the ends for the way in which the box is to attach its
// program. What goes through XDP must be as on a wire: tags and checksums in
// the frames. And one end of a veth pair takes what is redirected to the other
// only if it runs an XDP program itself.
func (b *Bed) AttachBy(t testing.TB, attach string) {
	t.Helper()
	b.Attach = attach
	if attach != "xdp" {
		return
	}
	pass, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Flags: unix.BPF_F_XDP_HAS_FRAGS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}}) // XDP_PASS
	if err != nil {
		t.Fatalf("load the ends' XDP program: %v", err)
	}
	defer pass.Close()
	b.Ends(t, func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		on, err := link.AttachXDP(link.XDPOptions{Interface: l.Attrs().Index, Program: pass, Flags: link.XDPDriverMode})
		if err != nil {
			return err
		}
		t.Cleanup(func() { on.Close() })
		return Features(name, false, "tx-checksum-ip-generic", "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
	})
}
