// Definitions is the command of those who write inline patches:
//
//	go run ./definitions check DIR|FILE…
//	go run ./definitions test DIR|FILE…
//	go run ./definitions new ID [PROTOCOL]
//	go run ./definitions explain DIR|FILE --request FILE [--response FILE]
//	go run ./definitions replay FILE.pcap [--protocol NAME] [--port N] [DIR|FILE…]
//	go run ./definitions pack -revision N -o FILE [DIR]
//	go run ./definitions schema
//	go run ./definitions prove [-install] [-quick] [-v] [-jobs N] [-page FILE] [ID…]
//
// It does with a definition what an appliance does when it loads one, and says
// what it finds. docs/definitions.md describes the language.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"wirepatch/dataplane/patch"
)

const usage = `usage: go run ./definitions COMMAND

  check DIR|FILE...   parse and compile definitions, or a description of a protocol, say every
                      fault with its place
  test DIR|FILE...    check them, then run their tests through the real decoder
  new ID [PROTOCOL]   write definitions/ID/patch.yaml, a working template to start from
  explain DIR|FILE --request FILE [--response FILE]
                      show what a definition does with the bytes of a request,
                      and of the server's response to it
  replay FILE [--protocol NAME] [--port N] [DIR|FILE...]
                      show what definitions would change in a capture (pcap or pcapng): the
                      corrections and how the bytes differ. The protocol of a session is
                      found by its first bytes where none is named; --port reads only the
                      sessions to that port
  pack -revision N -o FILE [DIR]
                      test all definitions and write them, with the descriptions of
                      protocols, into the file that the update repository signs
  schema              print the JSON Schema of definitions (docs/definition.schema.json)
  prove [-install] [-quick] [-v] [-jobs N] [-page FILE] [ID...]
                      install the vulnerable and the fixed server of each definition that
                      has a proof, and compare the one behind the dataplane with the other:
                      as root. The results go into out/proofs.json and the table of docs/proofs.md
                      (-page: of another page), those of other definitions stay there. -install
                      only installs, -quick leaves out the mutations of requests and keeps no
                      results, -v shows all failures, -jobs proves several at a time

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
		return fmt.Errorf("no command given; want one of check, test, new, explain, replay, pack, schema, prove")
	}
	rest := args[1:]
	if asksHelp(rest) {
		fmt.Fprint(out, usage)
		return nil
	}
	switch args[0] {
	case "check":
		return check(rest, out, false)
	case "test":
		return check(rest, out, true)
	case "new":
		return create(rest, out)
	case "explain":
		return explain(rest, out)
	case "replay":
		return replay(rest, out)
	case "pack":
		return makePack(rest, out)
	case "schema":
		b, err := patch.JSONSchema()
		if err == nil {
			_, err = out.Write(b)
		}
		return err
	case "prove":
		return proofs(rest, out)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
		return nil
	}
	return fmt.Errorf("no command %q; want one of check, test, new, explain, replay, pack, schema, prove, help", args[0])
}

// asksHelp says whether somebody asks a command what it wants.
func asksHelp(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0])
}
