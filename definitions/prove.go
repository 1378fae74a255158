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
	"strings"
	"syscall"

	"wirepatch/board/atomicfile"
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
	page := flags.String("page", "", "")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("prove: %w; want prove [-install] [-quick] [-v] [-page FILE] [ID...]", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("prove: it makes network namespaces; run it as root")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	results, err := prove.Run(ctx, prove.Options{Definitions: folder, Out: filepath.Join("out", "prove"), IDs: flags.Args(),
		Install: *install, Quick: *quick, Verbose: *verbose, Log: out})
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	if *install {
		return nil
	}
	if err := prove.WriteJSON(filepath.Join("out", "proofs.json"), results); err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	table := prove.Table(results)
	fmt.Fprintf(out, "\n%s", table)
	if *page != "" {
		if err := inPage(*page, table); err != nil {
			return fmt.Errorf("prove: %w", err)
		}
	}
	if !prove.Whole(results) {
		return errFound
	}
	return nil
}

// The table of a page stands between these lines.
const tableBegin, tableEnd = "<!-- measured -->\n", "<!-- /measured -->\n"

// inPage puts the table into a page.
func inPage(path, table string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the table; want the lines %q and %q", path, tableBegin, tableEnd)
	}
	return atomicfile.Write(path, []byte(before+tableBegin+table+tableEnd+after), 0o644)
}
