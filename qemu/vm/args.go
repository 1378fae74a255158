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
	// Fill puts more into the folder that the data disk is made from; nil: nothing.
	Fill         func(dir string) error
	DiskMB       int    // size of the data disk; 64 if 0
	WireA, WireB string // paths of unix sockets on which the lab listens
	Management   string // TCP address of this computer that leads to the appliance's HTTPS port
	MemoryMB     int    // 512 if 0
	// Disk is a disk image that the machine starts by itself, through UEFI, in
	// place of Kernel, Initrd and Settings; in QEMU's words, with its format, as
	// driver=qcow2,file.driver=file,file.filename=PATH.
	Disk string
	// QEMU is the program and its first arguments; nil: the one that is installed.
	QEMU []string
	// Card is what the wire ports are, in QEMU's words; "": virtio-net-pci, which
	// board/qemu.ini wants. Those of another are a physical machine's: all three ports
	// are behind PCI bridges of their own, wire A, wire B and management in the order
	// of their addresses.
	Card string
	// Ends has the machine end where others restart; VM.Again goes on. A restart
	// without that is three to seven times as slow under TCG: QEMU keeps what it has
	// translated, and every write to a page of which it has takes the long way.
	Ends bool
	// SecureBoot has the machine's firmware check signatures, by the keys in Vars.
	SecureBoot bool
	Vars       string   // the machine's own copy of UEFI variables; "" for one in Dir, made when missing
	TPM        string   // path of a TPM's control socket (swtpm); "" for a machine without
	More       []string // further arguments for QEMU
}

// user is the network of a port that nobody plugs into: QEMU's own.
const user = ""

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
	if c.Disk == "" {
		add("-kernel", c.Kernel, "-initrd", c.Initrd, "-append", commandLine, "-no-reboot")
	} else {
		add(c.firmware()...)
	}
	if c.Ends {
		add("-no-reboot")
	}
	add("-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial")
	add("-qmp", "unix:"+escape(c.Dir)+"/qmp,server=on,wait=off")
	add("-netdev", wire("a", c.WireA))
	add(c.port("a", 0x4)...)
	add("-netdev", wire("b", c.WireB))
	add(c.port("b", 0x5)...)
	add("-netdev", fmt.Sprintf("user,id=m,hostfwd=tcp:%s:%s-:443", host, port))
	add(c.port("m", 0x6)...)
	if c.Disk == "" {
		add("-drive", "if=none,id=data,format=raw,cache=writeback,file="+escape(c.disk()))
	} else {
		add("-blockdev", c.Disk+",node-name=data")
	}
	add("-device", "virtio-blk-pci,drive=data,addr=0x7,bootindex=1")
	add("-device", "i6300esb,addr=0x8")
	if c.TPM != "" {
		add("-chardev", "socket,id=tpm,path="+escape(c.TPM), "-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm")
	}
	return append(args, c.More...), nil
}

// port returns the arguments for a network port at a PCI address, in the network
// of its name.
func (c *Config) port(name string, address int) []string {
	const virtio = "virtio-net-pci"
	card := fmt.Sprintf("netdev=%s,mac=52:54:00:77:%02x:00,romfile=", name, address+6)
	if c.Card == "" {
		return []string{"-device", fmt.Sprintf("%s,%s,addr=%#x", virtio, card, address)}
	}
	kind := c.Card
	if name == "m" {
		kind = virtio
	}
	bridge := "bridge-" + name
	return []string{"-device", fmt.Sprintf("pcie-root-port,id=%s,chassis=%d,addr=%#x", bridge, address, address),
		"-device", fmt.Sprintf("%s,%s,bus=%s", kind, card, bridge)}
}

func wire(id, socket string) string {
	if socket == user {
		return "user,id=" + id + ",restrict=on"
	}
	return "stream,id=" + id + ",server=off,addr.type=unix,addr.path=" + escape(socket)
}

// machine returns the arguments that a trial boot has in common with a real one.
func machine(accel string) []string {
	args := []string{"-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none"}
	if accel == KVM {
		return append(args, "-accel", "kvm", "-cpu", "host")
	}
	// QEMU 7.2's TCG computes the flags after CMPXCHG16B from a stale source: the VM flag
	// may end up set, and when an interrupt comes just then, the kernel that returns from it
	// panics. Without the instruction the kernel's allocator goes another way.
	return append(args, "-accel", "tcg,thread=multi", "-cpu", "max,-cx16")
}

// escape doubles the commas of a path: QEMU's options end at a single one.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }
