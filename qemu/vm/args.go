package vm

import (
	"fmt"
	"net"
	"strings"
)

// Config is what a VM is made of.
type Config struct {
	Kernel, Initrd string // out/vmlinux, out/initramfs.cpio.zst
	Dir            string // folder for sockets and the disk; its path must be short enough for sockets
	Settings       string // appliance.ini for the data disk
	WireA, WireB   string // paths of unix sockets on which the lab listens
	Management     string // TCP address of this computer that leads to the appliance's HTTPS port
	MemoryMB       int    // 512 if 0
}

// commandLine is the kernel's. Without no_timer_check a boot under TCG now and
// then hangs for good.
const commandLine = "console=ttyS0 no_timer_check panic=10 quiet"

// args returns QEMU's arguments. Two wire ports, management, disk and watchdog
// are at the PCI addresses that board/qemu.ini names.
func (c *Config) args(accel string) ([]string, error) {
	host, port, err := net.SplitHostPort(c.Management)
	if err != nil {
		return nil, fmt.Errorf("management address: %w", err)
	}
	memory := c.MemoryMB
	if memory == 0 {
		memory = 512
	}
	args := machine(accel)
	add := func(a ...string) { args = append(args, a...) }
	add("-m", fmt.Sprint(memory), "-smp", "1")
	add("-kernel", c.Kernel, "-initrd", c.Initrd, "-append", commandLine)
	add("-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial")
	add("-qmp", "unix:"+escape(c.Dir)+"/qmp,server=on,wait=off")
	add("-netdev", "stream,id=a,server=off,addr.type=unix,addr.path="+escape(c.WireA))
	add("-device", "virtio-net-pci,netdev=a,mac=52:54:00:77:0a:00,romfile=,addr=0x4")
	add("-netdev", "stream,id=b,server=off,addr.type=unix,addr.path="+escape(c.WireB))
	add("-device", "virtio-net-pci,netdev=b,mac=52:54:00:77:0b:00,romfile=,addr=0x5")
	add("-netdev", fmt.Sprintf("user,id=m,hostfwd=tcp:%s:%s-:443", host, port))
	add("-device", "virtio-net-pci,netdev=m,mac=52:54:00:77:0c:00,romfile=,addr=0x6")
	add("-drive", "if=none,id=data,format=raw,cache=writeback,file="+escape(c.disk()))
	add("-device", "virtio-blk-pci,drive=data,addr=0x7")
	add("-device", "i6300esb,addr=0x8")
	return args, nil
}

// machine returns the arguments that a trial boot has in common with a real one.
func machine(accel string) []string {
	args := []string{"-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}
	if accel == KVM {
		return append(args, "-accel", "kvm", "-cpu", "host")
	}
	return append(args, "-accel", "tcg,thread=multi", "-cpu", "max")
}

// escape doubles the commas of a path: QEMU's options end at a single one.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }
