// Package bed is the whole test bed: the appliance in QEMU, the lab's two hosts
// around it, the vulnerable server behind it and the patched one beside. make
// run, make demo and the tests each start one. All that it makes lies in one
// temporary folder, and Close leaves nothing behind.
package bed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"wirepatch/qemu/lab"
	"wirepatch/qemu/vm"
)

// Settings is the appliance.ini of the test bed's appliance.
//
//go:embed appliance.ini
var Settings string

// Config says what a test bed is made of.
type Config struct {
	Root       string                 // the repository's top: where the portal's source is
	Out        string                 // where the image is and the portals are built
	Image      string                 // folder with vmlinux and initramfs.cpio.zst; "" means Out
	Straight   string                 // wanted address of the vulnerable server; port 0 or taken: a free one
	Through    string                 // wanted address of the way through the appliance, likewise
	Management string                 // wanted address of the appliance's HTTPS page, likewise
	Pcap       string                 // folder for captures of both wires; "" for none
	Settings   string                 // appliance.ini; "" means Settings
	Fill       func(dir string) error // puts more on the data disk; nil: nothing
	DiskMB     int                    // size of the data disk; 0: the usual
	QEMU, More []string               // as vm.Config has them
	Card       string                 // likewise
	Log        io.Writer
	Say        func(phase, format string, a ...any) // told what is being done
}

// Bed is one running test bed.
type Bed struct {
	Lab        *lab.Lab
	VM         *vm.VM
	Vulnerable *lab.Portal
	Patched    *lab.Portal
	Through    string // address of the way through the appliance
	Management string // address of the appliance's HTTPS page
	Dir        string // the temporary folder

	config   Config
	ctx      context.Context
	cancel   context.CancelFunc
	closers  []func() error // in the order of making
	captures [2]*lab.Capture
}

// Start builds the portals and starts everything. When it fails, nothing is
// left running.
func Start(ctx context.Context, c Config) (*Bed, error) {
	if c.Image == "" {
		c.Image = c.Out
	}
	if c.Settings == "" {
		c.Settings = Settings
	}
	if c.Say == nil {
		c.Say = func(string, string, ...any) {}
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	b := &Bed{config: c}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for _, do := range []func(context.Context) error{b.checkImage, b.folder, b.portals, b.hosts, b.boot} {
		if err := do(ctx); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

func (b *Bed) image() (kernel, initrd string) {
	return filepath.Join(b.config.Image, "vmlinux"), filepath.Join(b.config.Image, "initramfs.cpio.zst")
}

func (b *Bed) checkImage(context.Context) error {
	kernel, initrd := b.image()
	for _, f := range []string{kernel, initrd} {
		if _, err := os.Stat(f); err != nil {
			return fmt.Errorf("the appliance's image is not built: %w\nbuild it with: make image", err)
		}
	}
	return nil
}

func (b *Bed) portals(ctx context.Context) error {
	b.config.Say("build", "the vulnerable portal and the patched one")
	if err := os.MkdirAll(b.config.Out, 0o755); err != nil {
		return err
	}
	vulnerable, patched, err := lab.BuildPortals(ctx, b.config.Root, b.config.Out)
	if err != nil {
		return err
	}
	if b.Vulnerable, err = b.portal(vulnerable, b.config.Straight); err != nil {
		return err
	}
	b.Patched, err = b.portal(patched, "127.0.0.1:0")
	return err
}

func (b *Bed) portal(path, address string) (*lab.Portal, error) {
	dir := filepath.Join(b.Dir, filepath.Base(path))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	p, err := lab.StartPortal(path, lab.Free(address), dir)
	if err != nil {
		return nil, err
	}
	b.onClose(func() error { p.Stop(); return nil })
	return p, nil
}

// hosts starts the lab's two hosts and the address that leads through.
func (b *Bed) hosts(context.Context) error {
	var err error
	if b.Lab, err = lab.New(b.Vulnerable.Address); err != nil {
		return err
	}
	b.onClose(func() error { b.Lab.Close(); return nil })
	ln, err := net.Listen("tcp", lab.Free(b.config.Through))
	if err != nil {
		return err
	}
	b.Through = ln.Addr().String()
	go b.Lab.Forward(ln, lab.Service4)
	b.config.Say("lab", "client host %s on wire A, server host %s on wire B", lab.Client4.Addr(), lab.Server4.Addr())
	return nil
}

// boot plugs the lab into the appliance and boots it.
func (b *Bed) boot(ctx context.Context) error {
	for i, h := range []*lab.Host{b.Lab.Client, b.Lab.Server} {
		if err := b.wire(i, h); err != nil {
			return err
		}
	}
	var err error
	if b.Management, err = freePort(b.config.Management); err != nil {
		return err
	}
	c := vm.Config{Dir: b.Dir, Settings: b.config.Settings, Fill: b.config.Fill, DiskMB: b.config.DiskMB, Management: b.Management, WireA: b.socket(0), WireB: b.socket(1),
		QEMU: b.config.QEMU, More: b.config.More, Card: b.config.Card}
	c.Kernel, c.Initrd = b.image()
	b.VM, err = vm.Start(ctx, c, b.config.Log, func(format string, a ...any) { b.config.Say("boot", format, a...) })
	if err != nil {
		return fmt.Errorf("booting the appliance: %w", err)
	}
	b.onClose(func() error { b.VM.Kill(); return nil })
	return nil
}

func (b *Bed) socket(wire int) string { return filepath.Join(b.Dir, "wire-"+string("ab"[wire])) }

// wire waits in the background for QEMU to plug into the wire, as often as it
// is started.
func (b *Bed) wire(i int, h *lab.Host) error {
	if b.config.Pcap != "" {
		f, err := os.Create(filepath.Join(b.config.Pcap, "wire-"+string("ab"[i])+".pcap"))
		if err != nil {
			return err
		}
		b.captures[i] = lab.NewCapture(f)
		b.onClose(b.captures[i].Close)
	}
	ln, err := net.Listen("unix", b.socket(i))
	if err != nil {
		return err
	}
	done := make(chan struct{})
	b.onClose(func() error { ln.Close(); <-done; return nil })
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			h.Plug(b.ctx, c, b.captures[i])
		}
	}()
	return nil
}

// freePort returns address, or the same host with a free port for a program
// that cannot choose one itself.
func freePort(address string) (string, error) {
	l, err := net.Listen("tcp", lab.Free(address))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (b *Bed) onClose(f func() error) { b.closers = append(b.closers, f) }

// Close ends everything, in the opposite order of its making.
func (b *Bed) Close() error {
	b.cancel()
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	b.closers = nil
	return errors.Join(errs...)
}

// PowerOff switches the appliance off with its power button; then Close.
func (b *Bed) PowerOff() error { return errors.Join(b.VM.PowerOff(), b.Close()) }

// URL is an address as a browser takes it.
func URL(scheme, address string) string {
	return scheme + "://" + strings.TrimSuffix(address, "/") + "/"
}
