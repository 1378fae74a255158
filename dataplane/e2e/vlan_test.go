package e2e

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/internal/netns"
)

const vlanID = 42

// tag has an end host tag what it sends and untag what it gets, as an interface
// of a VLAN would: the kernels the tests run on may lack the 8021q module.
func tag(t *testing.T, bed *netns.Bed) {
	t.Helper()
	next := asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()} // TCX_NEXT
	push := append(asm.Instructions{
		asm.Mov.Imm(asm.R2, 0x0081), // ETH_P_8021Q, network order
		asm.Mov.Imm(asm.R3, vlanID),
		asm.FnSkbVlanPush.Call(),
	}, next...)
	pop := append(asm.Instructions{asm.FnSkbVlanPop.Call()}, next...)
	bed.Ends(t, func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		for at, code := range map[ebpf.AttachType]asm.Instructions{ebpf.AttachTCXEgress: push, ebpf.AttachTCXIngress: pop} {
			p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: code, License: "Apache-2.0"})
			if err != nil {
				return err
			}
			defer p.Close()
			on, err := link.AttachTCX(link.TCXOptions{Interface: l.Attrs().Index, Program: p, Attach: at})
			if err != nil {
				return err
			}
			t.Cleanup(func() { on.Close() })
		}
		return nil
	})
}
