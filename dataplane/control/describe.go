package control

import (
	"fmt"

	"wirepatch/dataplane/session"
)

// Describe puts what the engine tells into words.
func Describe(e session.Event) Event {
	ev := Event{Service: e.Service, Client: e.Conn.Client.String(), Server: e.Conn.Server.String()}
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
		if x.Mode != "correct" {
			ev.Text += " (" + x.Mode + ": nothing was changed)"
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
	return ev
}
