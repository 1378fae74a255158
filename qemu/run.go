package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"wirepatch/qemu/bed"
	"wirepatch/qemu/demo"
	"wirepatch/qemu/lab"
)

// options are the command line's.
type options struct {
	root, out                     string
	straight, through, management string
	pcap                          string
	progress
}

// consoleSocket is where console finds a running appliance.
func (o *options) consoleSocket() string { return filepath.Join(o.out, "console.sock") }

// serve shows the demonstration and serves until ctx ends.
func serve(ctx context.Context, o *options) error {
	return o.withBed(ctx, func(b *bed.Bed) error {
		err := o.show(ctx, b)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "\n%s\n", o.red("the demonstration failed: "+err.Error()))
		}
		o.announce(ctx, b)
		select {
		case <-ctx.Done():
			return nil
		case <-b.VM.Done():
			return fmt.Errorf("the appliance has ended: %w", b.VM.Err())
		}
	})
}

// demonstrate shows the demonstration and checks it.
func demonstrate(ctx context.Context, o *options) error {
	return o.withBed(ctx, func(b *bed.Bed) error { return o.show(ctx, b) })
}

// withBed calls do with a running test bed and takes it down again.
func (o *options) withBed(ctx context.Context, do func(*bed.Bed) error) (err error) {
	o.progress.begin()
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	logPath := filepath.Join(o.out, "serial.log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	b, err := bed.Start(ctx, bed.Config{
		Root: o.root, Out: o.out, Pcap: o.pcap, Log: log, Say: o.say,
		Straight: o.straight, Through: o.through, Management: o.management,
	})
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("%w\nthe whole console: %s", err, logPath)
	}
	o.say("boot", "inspecting %.1f s after power-on (%s); console: %s", b.VM.Boot.Seconds(), b.VM.Accel, logPath)
	stop, err := o.offerConsole(b)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	err = do(b)
	stop()
	o.say("end", "switching the appliance off")
	if e := b.PowerOff(); e != nil {
		o.say("end", "%v", e)
	}
	return err
}

// offerConsole lets console attach to the appliance. A relative path keeps
// within the length of a socket's address.
func (o *options) offerConsole(b *bed.Bed) (stop func(), err error) {
	path := o.consoleSocket()
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		o.say("lab", "another appliance is running here; make console is that one's")
		return func() {}, nil
	}
	os.Remove(path) // of a run that was killed
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	go b.VM.Serial.Serve(l)
	return func() { l.Close() }, nil
}

// show runs the demonstration over IPv4, and once more over IPv6 without
// showing it.
func (o *options) show(ctx context.Context, b *bed.Bed) error {
	w := demo.Ways{Straight: b.Vulnerable.Address, Patched: b.Patched.Address, Lab: b.Lab, Service: lab.Service4, First: o.firstCorrection}
	if err := demo.Run(ctx, w, &demo.Printer{W: os.Stdout, Colour: o.colour}); err != nil {
		return err
	}
	w.Service, w.First = lab.Service6, nil
	if err := demo.Run(ctx, w, nil); err != nil {
		return fmt.Errorf("over IPv6: %w", err)
	}
	fmt.Printf("\n    The same over IPv6: ok\n")
	o.tellFirst()
	return nil
}

func (o *options) announce(ctx context.Context, b *bed.Bed) {
	fmt.Printf("\nServing, until Ctrl-C:\n")
	fmt.Printf("    straight to the vulnerable server   %s\n", bed.URL("http", b.Vulnerable.Address))
	fmt.Printf("    through the appliance               %s\n", bed.URL("http", b.Through))
	m := b.Manage(ctx)
	page := bed.URL("https", b.Management)
	if !m.Answers {
		page += " (does not answer yet; its messages are on the serial console)"
	}
	fmt.Printf("    management                          %s\n", page)
	fmt.Printf("        set-up code for the first visit %s\n", m.SetupCode)
	fmt.Printf("        certificate's SHA-256           %s\n", m.Fingerprint)
	fmt.Printf("    serial console                      make console\n")
}
