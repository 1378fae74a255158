package main

import (
	"bytes"
	"context"
	"slices"
	"time"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/session"
)

// struckAtOnce bounds how many corrections of the ports are told between two
// frames.
const struckAtOnce = 4096

// tellStruck makes events of the corrections that the ports have made.
func (l *loop) tellStruck() {
	for range struckAtOnce {
		s, ok := l.port.NextStruck()
		if !ok {
			return
		}
		ev := session.Evidence{Mode: patch.Correct, Action: "remove", Element: "request.header", Before: bytes.Clone(s.Line)}
		name, _, _ := bytes.Cut(s.Line, []byte(":"))
		if k := l.strikes[string(bytes.ToLower(name))]; k != nil {
			ev.Definition, ev.Revision, ev.Rule, ev.Element = k.Definition, k.Revision, k.Rule, k.Element
			k.Count()
		} else {
			ev.Note = "by a definition of an earlier process that is no longer in force"
		}
		l.engine.Struck(session.Conn{Client: s.Flow.Client, Server: s.Flow.Server}, s.First, ev)
	}
}

// tellWithin is how long who asks for events waits for the loop, which may stand
// still.
const tellWithin = 100 * time.Millisecond

// Tell implements control.Teller.
func (a *agent) Tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	_ = a.loop.do(ctx, a.loop.tellStruck) // else it is told in a moment
}

// struckBy names the definitions whose corrections the ports make.
func (g *generation) struckBy() []string {
	var out []string
	for _, k := range g.strikes {
		out = append(out, k.Definition)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
