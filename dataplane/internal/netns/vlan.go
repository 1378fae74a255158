package netns

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// Tag has the end hosts tag what they send and untag what they get, as an
// interface of a VLAN would: the kernels the tests run on may lack the 8021q
// module. Given two identifiers, the first is that of an outer 802.1ad tag.
func (b *Bed) Tag(t testing.TB, ids ...int32) {
	t.Helper()
	push := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	pop := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	for i := len(ids) - 1; i >= 0; i-- {
		proto := int32(0x0081) // ETH_P_8021Q, network order
		if i < len(ids)-1 {
			proto = 0xa888 // ETH_P_8021AD, network order
		}
		push = append(push, asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, proto), asm.Mov.Imm(asm.R3, ids[i]), asm.FnSkbVlanPush.Call())
		pop = append(pop, asm.Mov.Reg(asm.R1, asm.R6), asm.FnSkbVlanPop.Call())
	}
	next := asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()} // TCX_NEXT
	push, pop = append(push, next...), append(pop, next...)
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
			t.Cleanup(func() { errors.Join(on.Detach(), on.Close()) })
		}
		return nil
	})
}
