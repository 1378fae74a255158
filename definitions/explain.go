package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/session"
)

// explain shows what one definition does with the bytes of a request and of the
// response to it.
func explain(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	request := flags.String("request", "", "")
	response := flags.String("response", "", "")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return errors.New("explain: no definition; want explain DIR|FILE --request FILE [--response FILE]")
	}
	if err := flags.Parse(args[1:]); err != nil || *request == "" || flags.NArg() > 0 {
		return errors.New("explain: want explain DIR|FILE --request FILE [--response FILE]")
	}
	files, err := find(args[:1])
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if len(files) > 1 {
		return fmt.Errorf("explain: %s holds %d definitions; want one", args[0], len(files))
	}
	d, err := patch.ReadFile(files[0])
	if err != nil {
		return err
	}
	req, err := os.ReadFile(*request)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	var resp []byte
	if *response != "" {
		if resp, err = os.ReadFile(*response); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	dec, ok := allDecoders(files...)[d.Protocol]
	if !ok {
		return fmt.Errorf("explain: no decoder for %q", d.Protocol)
	}
	r, err := patch.Run(d, dec, req, resp)
	if err != nil {
		return err
	}
	tell(out, d, r)
	return nil
}

func tell(out io.Writer, d *patch.Definition, r *patch.Result) {
	if len(r.Evidence) == 0 {
		fmt.Fprintf(out, "%s corrects nothing\n", d.ID)
	}
	for _, e := range r.Evidence {
		who := "the appliance itself: " + e.Action + " " + e.Element
		if e.Definition != "" {
			who = fmt.Sprintf("%s rule %d: %s %s, %s", e.Definition, e.Rule, e.Action, e.Element, because(d, &e))
		}
		fmt.Fprintf(out, "%s\n  before %q\n  after  %q\n", who, e.Before, e.After)
		if e.Note != "" {
			fmt.Fprintf(out, "  note   %s\n", e.Note)
		}
	}
	for _, f := range r.Failed {
		fmt.Fprintf(out, "could not be evaluated: %s\n", f)
	}
	fmt.Fprintf(out, "the server gets\n%s\nthe client gets\n%s\n", quoted(r.Server), quoted(r.Client))
	if r.End != session.Continue {
		fmt.Fprintln(out, "the session ends")
	}
}

// because says why a rule fired.
func because(d *patch.Definition, e *session.Evidence) string {
	if e.Rule < 0 || e.Rule >= len(d.Rules) {
		return "which always applies"
	}
	switch r := &d.Rules[e.Rule]; {
	case e.Action == "reset" && r.Do.Kind != "reset":
		return "since it could not be judged"
	case r.When.Value == "":
		return "which always applies"
	default:
		return "because " + spelledOut(d, r.When.Value)
	}
}

// spelledOut is a condition in one line, with what the names in it stand for.
func spelledOut(d *patch.Definition, condition string) string {
	text := strings.Join(strings.Fields(condition), " ")
	for _, l := range slices.Backward(d.Let) {
		if regexp.MustCompile(`\b` + l.Name.Value + `\b`).MatchString(text) {
			text += ", where " + l.Name.Value + " is " + strings.Join(strings.Fields(l.Expr.Value), " ")
		}
	}
	return text
}

// quoted shows bytes line by line, with what cannot be seen written out.
func quoted(b []byte) string {
	if len(b) == 0 {
		return "  nothing"
	}
	var lines []string
	for l := range strings.SplitAfterSeq(string(b), "\n") {
		if l != "" {
			lines = append(lines, fmt.Sprintf("  %q", l))
		}
	}
	return strings.Join(lines, "\n")
}
