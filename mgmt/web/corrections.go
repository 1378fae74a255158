package web

import (
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// correction is one correction, byte for byte.
type correction struct {
	Seq                       uint64
	Time                      moment
	Definition                string
	Revision, Rule            int
	Shadow                    bool
	Action, Element, Note     string
	Service, Client, Server   string
	BeforeTitle, AfterTitle   string
	Before, After             visible.Side
	BeforeLength, AfterLength int
	BeforeCut, AfterCut       bool   // longer than what is kept
	Nothing                   string // in place of After, when there is none
}

// correctionList is split, so that the page stays short.
type correctionList struct{ Latest, Older []correction }

func corrections(list []wire.Record) correctionList {
	var out []correction
	for _, r := range list {
		out = append(out, viewCorrection(r))
	}
	n := min(len(out), latestCorrections)
	return correctionList{out[:n], out[n:]}
}

func viewCorrection(r wire.Record) correction {
	e := r.Evidence
	c := correction{
		Seq: r.Seq, Time: at(r.Time),
		Definition: visible.Line(e.Definition), Revision: e.Revision, Rule: e.Rule, Shadow: e.Mode != "correct",
		Action: visible.Line(e.Action), Element: visible.Line(e.Element), Note: visible.Line(e.Note),
		Service: visible.Line(r.Service), Client: visible.Line(r.Client), Server: visible.Line(r.Server),
		BeforeTitle: "As it came", BeforeLength: len(e.Before), AfterLength: len(e.After),
		BeforeCut: len(e.Before) == session.EvidenceLimit, AfterCut: len(e.After) == session.EvidenceLimit,
	}
	words := actionWords[e.Action]
	if words == [2]string{} {
		words = [2]string{"As it went on", "nothing"}
	}
	c.AfterTitle, c.Nothing = words[0], words[1]
	if c.Shadow {
		c.AfterTitle += " (would have; shadow changes nothing)"
	}
	// The reply of a reject is no edited copy: there is nothing to compare.
	if e.Action == "reject" {
		c.Before, c.After = visible.One(e.Before, true), visible.One(e.After, true)
	} else {
		c.Before, c.After = visible.Pair(e.Before, e.After)
	}
	return c
}

// actionWords says, by action, what stands over the bytes after it and what
// stands there when there are none.
var actionWords = map[string][2]string{
	"remove":  {"As it went on", "nothing: removed from the message"},
	"set":     {"As it went on", "nothing: the value was emptied"},
	"replace": {"As it went on", "nothing: the match was taken out"},
	"cut":     {"As it went on", "nothing: cut to its beginning"},
	"reject":  {"Answered in the server's place", "no answer"},
	"drop":    {"As it went on", "nothing: the message was not forwarded"},
	"reset":   {"As it went on", "nothing: the session was reset"},
	"report":  {"As it went on", "the same: only reported"},
}
