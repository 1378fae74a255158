package netns

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// Tag has the end hosts tag what they send and untag what they get, as an
// interface of a VLAN would: the kernels the tests run on may lack the 8021q
// module.
func (b *Bed) Tag(t testing.TB, id int32) {
	t.Helper()
	next := asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()} // TCX_NEXT
	push := append(asm.Instructions{
		asm.Mov.Imm(asm.R2, 0x0081), // ETH_P_8021Q, network order
		asm.Mov.Imm(asm.R3, id),
		asm.FnSkbVlanPush.Call(),
	}, next...)
	pop := append(asm.Instructions{asm.FnSkbVlanPop.Call()}, next...)
	b.Ends(t, func(name string) error {
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
