package main

import (
	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// event takes what the engine has to tell. It runs on the loop.
func (l *loop) event(e session.Event) {
	if e.Kind == session.Corrected && e.Evidence.Definition != "" {
		if e.Evidence.Mode == "correct" && e.Evidence.Action != "report" {
			l.corrections++
		}
		l.perPatch[e.Evidence.Definition]++
		if e.Quiet {
			return
		}
	}
	l.events.AddSession(e)
}

// report adds an event that concerns no session.
func (l *loop) report(kind, text string) { l.events.Add(control.Event{Kind: kind, Text: text}) }
