// Definitions is the command of those who write inline patches:
//
//	go run ./definitions check DIR|FILE…
//	go run ./definitions test DIR|FILE…
//	go run ./definitions new ID
//	go run ./definitions explain FILE --request FILE [--response FILE]
//	go run ./definitions prove [-install] [-quick] [-v] [-page FILE] [ID…]
//
// It does with a definition what an appliance does when it loads one, and says
// what it finds. docs/definitions.md describes the language.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const usage = `usage: go run ./definitions COMMAND

  check DIR|FILE...   parse and compile definitions, say every fault with its place
  test DIR|FILE...    check them, then run their tests through the real decoder
  new ID              write definitions/ID/patch.yaml, a working template to start from
  explain FILE --request FILE [--response FILE]
                      show what a definition does with the bytes of a request,
                      and of the server's response to it
  prove [-install] [-quick] [-v] [-page FILE] [ID...]
                      install the vulnerable and the fixed server of each definition that
                      has a proof, and compare the one behind the dataplane with the other:
                      as root. -install does no more than that, -quick leaves out the mutations of requests, -v shows all
                      failures, -page puts the table into a page

DIR is a folder with definitions (ID/patch.yaml) or with one; it is ./definitions when
none is given. The language is described in docs/definitions.md.
`

// errFound says that faults were found and have been told.
var errFound = errors.New("faults were found")

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errFound):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "definitions:", err)
		os.Exit(2)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(out, usage)
		return fmt.Errorf("no command given; want one of check, test, new, explain, prove")
	}
	rest := args[1:]
	switch args[0] {
	case "check":
		return check(rest, out, false)
	case "test":
		return check(rest, out, true)
	case "new":
		return create(rest, out)
	case "explain":
		return explain(rest, out)
	case "prove":
		return proofs(rest, out)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
		return nil
	}
	return fmt.Errorf("no command %q; want one of check, test, new, explain, prove, help", args[0])
}
