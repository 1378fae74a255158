package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"wirepatch/firmware/pack"
)

// makePack writes all definitions and the descriptions of protocols into one file for
// the update repository, which signs it. The same content gives the same bytes.
func makePack(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	revision := flags.Int("revision", 0, "")
	to := flags.String("o", "", "")
	if err := flags.Parse(args); err != nil || *revision < 1 || *to == "" || flags.NArg() > 1 {
		return errors.New("pack: want pack -revision N -o FILE [DIR]")
	}
	dir := definitionsFolder()
	if flags.NArg() == 1 {
		dir = flags.Arg(0)
	}
	// What a box would set aside is not shipped.
	if err := check([]string{dir}, out, true); err != nil {
		return err
	}
	all, err := pack.Collect(os.DirFS(dir), *revision)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	f, err := os.Create(*to)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := errors.Join(all.Write(f), f.Close()); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	fmt.Fprintf(out, "%s written: revision %d, %d files\n", *to, *revision, len(all.Files))
	return nil
}
