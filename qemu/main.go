// Command qemu runs the appliance in QEMU with a lab around it.
//
//	qemu run      demonstration, then it serves until Ctrl-C
//	qemu demo     demonstration; exit status 0 when every check holds, else 1
//	qemu console  attaches the terminal to the running appliance's serial console
//
// make run, make demo and make console call it. It needs the image that make
// image builds, QEMU, mkfs.ext4 and Go, and no privileges.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: qemu [flags] run|demo|console

`

func main() {
	o := &options{}
	flag.StringVar(&o.root, "root", ".", "the repository's top `folder`")
	flag.StringVar(&o.out, "out", "out", "`folder` of the image, of logs and of the console's socket")
	flag.StringVar(&o.straight, "straight", "127.0.0.1:8001", "wanted `address` straight to the vulnerable server")
	flag.StringVar(&o.through, "through", "127.0.0.1:8002", "wanted `address` of the way through the appliance")
	flag.StringVar(&o.management, "management", "127.0.0.1:8443", "wanted `address` of the management page")
	flag.StringVar(&o.pcap, "pcap", "", "`folder` for captures of both wires, for Wireshark")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, flag.Arg(0), o); err != nil {
		fmt.Fprintf(os.Stderr, "\n%s\n", o.red("failed: "+err.Error()))
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, o *options) error {
	switch command {
	case "run":
		return serve(ctx, o)
	case "demo":
		return demonstrate(ctx, o)
	case "console":
		return console(ctx, o)
	case "help":
		flag.Usage()
		return nil
	}
	flag.Usage()
	return fmt.Errorf("unknown command %q", command)
}
