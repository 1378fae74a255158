// Command dataplane is the wire: it sits between two Ethernet ports, corrects
// the sessions of protected services as the definitions say, and passes all
// else. init starts it; mgmt and the console ask it over a unix socket (package
// control). It leaves program, links and maps pinned when it ends, so that the
// wire goes on without it by each service's policy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
)

// version is set when the program is built for an image.
var version = "development"

// options are the command line.
type options struct {
	wireA, wireB string
	settings     string
	definitions  string
	socket       string
	socketGroup  int
	pins         string
	detach       bool
	rehearse     bool
	memory       string
	firmware     string
	attach       string
	ram          int64
}

func main() {
	var o options
	flag.StringVar(&o.wireA, "wire-a", "", "interface towards the clients")
	flag.StringVar(&o.wireB, "wire-b", "", "interface towards the servers")
	flag.StringVar(&o.settings, "settings", "", "appliance.ini; empty: the owner's, else the image's")
	flag.StringVar(&o.definitions, "definitions", "/etc/wirepatch/definitions", "folder of the inline patches")
	flag.StringVar(&o.socket, "socket", control.Socket, "unix socket to answer on")
	flag.IntVar(&o.socketGroup, "socket-group", -1, "group id that may use the socket; -1: the own one")
	flag.StringVar(&o.pins, "pin", "/sys/fs/bpf/wirepatch", "folder on a BPF file system where program and maps are pinned")
	flag.StringVar(&o.attach, "attach", "auto", "how the program is to sit on the ports where the settings do not say: auto, tcx, xdp")
	flag.StringVar(&o.memory, "memory", "", "file in which is kept which definitions have passed their tests; empty: they run at each start")
	flag.StringVar(&o.firmware, "firmware", "", "what the memory is good for: anything that changes with each build of the firmware")
	flag.Int64Var(&o.ram, "ram", 0, "bytes of memory that the machine is taken to have, of which the number of sessions follows; 0: what it has")
	flag.BoolVar(&o.detach, "detach", false, "take everything off the ports and end; the wire is cut")
	flag.BoolVar(&o.rehearse, "rehearse", false, "have the dataplane that runs (-socket) stop its engine for a second, tell what the wire did, and end")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.rehearse {
		if err := rehearse(ctx, o.socket, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "dataplane:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "dataplane:", err)
		os.Exit(1)
	}
}

func (o options) check() error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", flag.Arg(0))
	}
	if o.wireA == "" || o.wireB == "" {
		return errors.New("both wire ports are needed: -wire-a INTERFACE -wire-b INTERFACE")
	}
	if o.ram < 0 {
		return fmt.Errorf("-ram %d: want bytes, or 0 for what the machine has", o.ram)
	}
	if (o.memory == "") != (o.firmware == "") {
		return errors.New("-memory and -firmware go together: what passed under one firmware may fail under another")
	}
	if !slices.Contains(settings.Ways, o.attach) {
		return fmt.Errorf("-attach %q: want one of %s", o.attach, strings.Join(settings.Ways, ", "))
	}
	return nil
}
