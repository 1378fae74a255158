// Command firmware is the author's tool for what boxes take as updates: it makes
// the signed update repository and what goes into it.
//
//	go run ./firmware help
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"wirepatch/firmware/pack"
	"wirepatch/firmware/repo"
	"wirepatch/firmware/secureboot"
	"wirepatch/firmware/uki"
)

const help = `usage: firmware COMMAND

  repo keys ROLE NAME...     make private keys, KEYS/ROLE-NAME.key. Roles: root (keep offline),
                             targets (offline), firmware, definitions, snapshot, timestamp
  repo init                  begin a repository with the keys in KEYS
  repo add firmware FILE     offer a unified kernel image (out/wirepatch.efi) for its board
  repo add definitions FILE  offer a definition pack
  repo publish               let boxes see what was added; again every month, or boxes say that
                             the repository is out of date
  repo rotate ROLE           make the keys in KEYS those of ROLE. For root, keys that leave must
                             still sign: keep them in KEYS as old-NAME.key
  repo sign ROLE             add the signatures of the keys in KEYS, when a threshold needs more
  repo check                 verify all signatures as a box would
  repo root                  print the root of trust that images carry (-trust of images/build)
  repo bundle FILE [TARGET…] write one file for boxes without a network
  secureboot FOLDER NAME     make a key for Secure Boot (-secureboot of images/build); machines are to
                             trust FOLDER/secureboot.cer
  measure FILE               what a box's TPM holds in PCR 11 after it started this unified kernel image
  pack REVISION FOLDER FILE  make a definition pack of FOLDER/*/patch.yaml and FOLDER/protocols, untested:
                             go run ./definitions pack tests what it packs

  -dir DIR                   the repository (default repo)
  -keys KEYS                 folder of private keys (default keys)
  -threshold ROLE=N,…        how many keys must sign, for init and rotate (default 1)
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "firmware: %v\n", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("no such command, or wrong number of arguments; see: firmware help")

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("firmware", flag.ContinueOnError)
	r := &repo.Repo{Now: time.Now, Threshold: map[string]int{}}
	f.StringVar(&r.Dir, "dir", "repo", "the repository's folder")
	f.StringVar((*string)(&r.Keys), "keys", "keys", "folder of private keys")
	f.Func("threshold", "ROLE=N,…: how many keys must sign", func(s string) error { return thresholds(r.Threshold, s) })
	f.Usage = func() { fmt.Fprint(f.Output(), help) }
	// Options may stand anywhere.
	var words []string
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return err
		}
		if args = f.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	if len(words) == 0 || words[0] == "help" {
		fmt.Fprint(out, help)
		return nil
	}
	if words[0] == "pack" && len(words) == 4 {
		return makePack(words[1], words[2], words[3])
	}
	if words[0] == "measure" && len(words) == 2 {
		return measure(out, words[1])
	}
	if words[0] == "secureboot" && len(words) == 3 {
		return secureboot.Make(words[1], words[2], time.Now())
	}
	if words[0] != "repo" || len(words) < 2 {
		return errUsage
	}
	return command(r, out, words[1], words[2:])
}

func thresholds(into map[string]int, text string) error {
	for part := range strings.SplitSeq(text, ",") {
		var n int
		role, number, _ := strings.Cut(part, "=")
		if _, err := fmt.Sscan(number, &n); err != nil || n < 1 {
			return fmt.Errorf("got %q, want ROLE=NUMBER", part)
		}
		into[role] = n
	}
	return nil
}

func command(r *repo.Repo, out io.Writer, name string, args []string) error {
	type do struct {
		least, most int // arguments
		f           func() error
	}
	named := func(n string, err error) error {
		if err == nil {
			fmt.Fprintln(out, n)
		}
		return err
	}
	c, ok := map[string]do{
		"keys": {2, 99, func() error {
			for _, n := range args[1:] {
				if err := named(r.Keys.Make(args[0], n)); err != nil {
					return err
				}
			}
			return nil
		}},
		"init":    {0, 0, r.Init},
		"publish": {0, 0, r.Publish},
		"check":   {0, 0, r.Check},
		"rotate":  {1, 1, func() error { return r.Rotate(args[0]) }},
		"sign":    {1, 1, func() error { return r.Sign(args[0]) }},
		"add": {2, 2, func() error {
			switch args[0] {
			case repo.Firmware:
				return named(r.AddFirmware(args[1]))
			case repo.Definitions:
				return named(r.AddDefinitions(args[1]))
			}
			return errUsage
		}},
		"root":   {0, 0, func() error { text, err := r.Root(); return named(string(text), err) }},
		"bundle": {1, 99, func() error { return toFile(args[0], func(w io.Writer) error { return r.Bundle(w, args[1:]...) }) }},
	}[name]
	if !ok || len(args) < c.least || len(args) > c.most {
		return errUsage
	}
	return c.f()
}

func makePack(revision, folder, file string) error {
	var n int
	if _, err := fmt.Sscan(revision, &n); err != nil || n < 1 {
		return fmt.Errorf("got revision %q, want a number from 1 on", revision)
	}
	p, err := pack.Collect(os.DirFS(folder), n)
	if err != nil {
		return err
	}
	return toFile(file, p.Write)
}

func measure(out io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	register, err := uki.Measure(f)
	if err == nil {
		fmt.Fprintf(out, "%x\n", register)
	}
	return err
}

func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Sync(), f.Close())
}
