package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"wirepatch/dataplane/prove"
)

// proofs has the servers of definitions run, vulnerable and fixed, and compares
// them through the appliance's dataplane.
func proofs(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	quick := flags.Bool("quick", false, "")
	install := flags.Bool("install", false, "")
	verbose := flags.Bool("v", false, "")
	jobs := flags.Int("jobs", 1, "")
	page := flags.String("page", filepath.Join("docs", "proofs.md"), "")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("prove: %w; want prove [-install] [-quick] [-v] [-jobs N] [-page FILE] [ID...]", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("prove: it makes network namespaces; run it as root")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	o := prove.Options{Definitions: folder, Out: filepath.Join("out", "prove"), IDs: flags.Args(),
		Install: *install, Quick: *quick, Verbose: *verbose, Jobs: *jobs, Log: out}
	record := prove.Record{Page: *page, JSON: filepath.Join("out", "proofs.json")}
	if !*quick { // what was not tried in all forms is no figure
		o.Done = func(some []prove.Result) error { return record.Keep(some, false) }
	}
	results, err := prove.Run(ctx, o)
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	if *install {
		if len(results) > 0 {
			return errFound
		}
		return nil
	}
	if !*quick && len(o.IDs) == 0 {
		if err := record.Keep(results, true); err != nil { // and nothing of definitions that are no more
			return fmt.Errorf("prove: %w", err)
		}
	}
	fmt.Fprintf(out, "\n%s", prove.Table(results))
	if !prove.Whole(results) {
		return errFound
	}
	return nil
}
