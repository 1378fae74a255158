package main

import (
	"fmt"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// event takes what the engine has to tell. It runs on the loop.
func (l *loop) event(e session.Event) {
	ev := control.Event{Service: e.Service, Client: e.Conn.Client.String(), Server: e.Conn.Server.String()}
	switch e.Kind {
	case session.Corrected:
		x := e.Evidence
		if x.Definition == "" {
			// The decoder gave the session up.
			ev.Kind, ev.Text = "passed", "the session of "+ev.Client+" is no longer inspected: "+x.Note
			break
		}
		ev.Kind, ev.Evidence = "correction", &x
		ev.Text = fmt.Sprintf("%s: %s %s of %s", x.Definition, x.Action, x.Element, ev.Client)
		switch {
		case x.Mode != "correct":
			ev.Text += " (" + x.Mode + ": nothing was changed)"
		case x.Action != "report":
			l.corrections++
		}
		l.perPatch[x.Definition]++
		if e.Quiet {
			return
		}
	case session.Passed:
		ev.Kind, ev.Text = "passed", "the session of "+ev.Client+" is no longer inspected: "+e.Reason
	case session.DatagramPassed:
		ev.Kind, ev.Text = "passed", "datagrams of "+ev.Client+" pass uninspected: "+e.Reason
	case session.DatagramDropped:
		ev.Kind, ev.Text = "dropped", "datagrams of "+ev.Client+" are dropped: "+e.Reason
	case session.WasReset:
		ev.Kind, ev.Text = "reset", "the session of "+ev.Client+" was reset: "+e.Reason
	}
	l.events.Add(ev)
}

// report adds an event that concerns no session.
func (l *loop) report(kind, text string) { l.events.Add(control.Event{Kind: kind, Text: text}) }
