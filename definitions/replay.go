package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// replay shows what definitions would change in a recorded capture.
func replay(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := flags.String("protocol", decoders.Auto, "")
	port := flags.Uint("port", 0, "")
	const want = "replay: want replay FILE [--protocol NAME] [--port N] [DIR|FILE...]"
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return errors.New(want)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return errors.New(want)
	}
	p, err := newPlayer(*name, flags.Args(), out)
	if err != nil {
		return err
	}
	f, err := os.Open(args[0])
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	defer f.Close()
	r := newRecorder()
	if err := readCapture(f, r.frame); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	for _, s := range r.sessions {
		if *port == 0 || uint(s.ends[session.ToClient].Port()) == *port {
			p.play(s)
		}
	}
	fmt.Fprintf(out, "%d sessions, of which %d were read; %d corrections in %d of them; %d other frames\n", p.sessions, p.read, p.corrections, p.corrected, r.other)
	return nil
}

// player plays recorded sessions to decoders.
type player struct {
	decoder                                decoders.Decoder
	set                                    *patch.Set
	out                                    io.Writer
	sessions, read, corrections, corrected int
}

func newPlayer(name string, paths []string, out io.Writer) (*player, error) {
	all, errs := decoders.Load(describedIn(paths))
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	d, ok := all.Find(name)
	if !ok {
		return nil, fmt.Errorf("replay: no decoder for %q", name)
	}
	files, err := find(paths)
	if err != nil {
		return nil, err
	}
	var defs []*patch.Definition
	modes := map[string]string{}
	for _, f := range files {
		d, err := patch.ReadFile(f)
		if err != nil {
			return nil, err
		}
		defs, modes[d.ID] = append(defs, d), patch.Correct
	}
	schemas := map[string]protocol.Schema{}
	for n, d := range all {
		schemas[n] = d.Schema
	}
	set, errs := patch.Compile(defs, schemas, modes)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &player{decoder: d, set: set, out: out}, nil
}

// play shows what becomes of one session.
func (p *player) play(s *recorded) {
	p.sessions++
	conn := protocol.Conn{
		ClientAddress: s.ends[0].Addr().String(), ClientPort: int(s.ends[0].Port()),
		ServerAddress: s.ends[1].Addr().String(), ServerPort: int(s.ends[1].Port()),
	}
	options := decoders.Options{Exceed: "pass", MidStream: !s.begun}
	run := patch.NewPlay(patch.Decoder{
		New:         func(r protocol.Rules, c protocol.Conn) session.Inspector { return p.decoder.New(r, c, options) },
		NewDatagram: p.datagrams(options),
	}, p.set, conn, s.datagram)
	if run == nil || len(s.pieces) == 0 {
		return
	}
	var sent, got [2][]byte
	var fault error
	for _, one := range s.pieces {
		sent[one.dir] = append(sent[one.dir], one.data...)
		if one.end {
			fault = run.Close(one.dir)
		} else {
			fault = run.Send(one.dir, one.data)
		}
		for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
			got[dir] = append(got[dir], run.Got(dir)...)
		}
		if fault != nil {
			break
		}
	}
	evidence, end := run.Evidence()
	if fault != nil || len(evidence) == 1 && evidence[0].Definition == "" && end == session.Continue && slices.Equal(sent[0], got[0]) {
		return // of another protocol
	}
	p.read++
	p.tell(s, sent, got, [2]int{run.Held(session.ToServer), run.Held(session.ToClient)}, evidence, end)
}

func (p *player) datagrams(o decoders.Options) patch.DatagramFactory {
	if p.decoder.NewDatagram == nil {
		return nil
	}
	return func(r protocol.Rules, c protocol.Conn) session.DatagramInspector {
		return p.decoder.NewDatagram(r, c, o)
	}
}

// tell prints the corrections of a session and how its bytes differ.
func (p *player) tell(s *recorded, sent, got [2][]byte, held [2]int, evidence []session.Evidence, end session.End) {
	if len(evidence) == 0 {
		return
	}
	p.corrected++
	fmt.Fprintf(p.out, "session %s to %s\n", s.ends[0], s.ends[1])
	for _, e := range evidence {
		p.corrections++
		fmt.Fprintf(p.out, "  %s rule %d: %s %s\n", e.Definition, e.Rule, e.Action, e.Element)
		fmt.Fprintf(p.out, "    before %q\n    after  %q\n", e.Before, e.After)
		if e.Note != "" {
			fmt.Fprintf(p.out, "    note   %s\n", e.Note)
		}
	}
	for dir, who := range []string{session.ToServer: "server", session.ToClient: "client"} {
		was := sent[dir][:len(sent[dir])-held[dir]]
		if lines := differing(string(was), string(got[dir])); len(lines) > 0 {
			fmt.Fprintf(p.out, "  the %s would get\n    %s\n", who, strings.Join(lines, "\n    "))
		}
	}
	if end != session.Continue {
		fmt.Fprintln(p.out, "  the session would end there; what follows in the capture would not have been")
	}
}

// differing shows the lines by which two texts differ, each with a sign in front:
// the lines between what they begin and what they end with alike.
func differing(was, is string) []string {
	a, b := strings.SplitAfter(was, "\n"), strings.SplitAfter(is, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out []string
	show := func(sign string, lines []string) {
		const most = 20
		for i, l := range lines {
			if i == most {
				out = append(out, fmt.Sprintf("%s … %d lines more", sign, len(lines)-most))
				break
			}
			if l != "" {
				out = append(out, fmt.Sprintf("%s %.200q", sign, l))
			}
		}
	}
	show("-", a)
	show("+", b)
	return out
}
