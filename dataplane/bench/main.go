// Command bench measures the wire: it puts the real dataplane between two
// network namespaces, a Linux bridge between two others, has the same load run
// across both in turns, and tells the ratio. It needs root. Its own programs
// make the load (package load); nothing of it is part of the appliance.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"wirepatch/dataplane/bench/load"
)

// options are the command line.
type options struct {
	rounds   int
	duration time.Duration
	only     string
	json     string
	docs     string
	profile  string
	idle     int
	attach   string
}

func main() {
	var o options
	agent := flag.String("agent", "", "be one end of a bed, client or server; for the command's own use")
	flag.IntVar(&o.rounds, "rounds", 7, "how often everything is measured; medians count")
	flag.DurationVar(&o.duration, "duration", 700*time.Millisecond, "of each measurement")
	flag.StringVar(&o.only, "only", "", "regular expression of the measurements to take; empty: all")
	flag.StringVar(&o.json, "json", "out/bench.json", "file for the figures; empty: none")
	flag.StringVar(&o.docs, "write-docs", "", "folder for performance.md and its chart; empty: none")
	flag.StringVar(&o.profile, "profile", "", "folder for one perf recording of each measurement, taken after the rounds; empty: none")
	flag.IntVar(&o.idle, "idle", 10_000, "idle sessions for the figure of memory; 0: leave it out")
	flag.StringVar(&o.attach, "attach", "tcx", "how the dataplane attaches its program; with xdp the ends of all beds, also the bridge's, send frames as on a wire")
	flag.Parse()
	// Ctrl-C reaches the agents, too: only the parent answers it, by ending them.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	switch *agent {
	case "":
		err = run(ctx, o)
	default:
		err = load.Agent(*agent, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
