package wire

import (
	"strings"
	"testing"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

func note(j *journal, text string) { j.add("box", control.Event{Kind: "restart", Text: text}) }

func TestJournalBounded(t *testing.T) {
	var j journal
	note(&j, "first")
	huge := strings.Repeat("ä", maxText)
	for range 3 * keepCorrections {
		j.add("dataplane", control.Event{Text: huge, Client: huge, Evidence: &session.Evidence{
			Definition: huge, Note: huge, Before: make([]byte, 1<<20), After: make([]byte, 1<<20)}})
	}
	if len(j.corrections) != keepCorrections {
		t.Errorf("%d corrections kept; want %d", len(j.corrections), keepCorrections)
	}
	if len(j.events) != 1 || j.events[0].Text != "first" {
		t.Errorf("events = %v; want the one, not pushed out by corrections", texts(j.events))
	}
	r := j.corrections[0]
	if n := len(r.Text) + len(r.Client) + len(r.Evidence.Definition) + len(r.Evidence.Note); n > 4*(maxText+3) {
		t.Errorf("%d bytes of text kept; want at most %d", n, 4*(maxText+3))
	}
	if cap(r.Evidence.Before) > 2*session.EvidenceLimit || len(r.Evidence.After) != session.EvidenceLimit {
		t.Errorf("evidence of %d (capacity), %d bytes kept; want %d", cap(r.Evidence.Before), len(r.Evidence.After), session.EvidenceLimit)
	}
	for range 3 * keepEvents {
		note(&j, "again")
	}
	if len(j.events) != keepEvents || len(j.corrections) != keepCorrections {
		t.Errorf("%d events, %d corrections; want %d, %d", len(j.events), len(j.corrections), keepEvents, keepCorrections)
	}
}

func TestSince(t *testing.T) {
	var j journal
	for i := range 10 {
		e := control.Event{}
		if i%3 == 0 {
			e.Evidence = &session.Evidence{}
		}
		j.add("dataplane", e)
	}
	tests := []struct {
		since       uint64
		n           int
		first, last uint64
		count       int
	}{
		{0, 100, 1, 10, 10}, {0, 4, 1, 4, 4}, {7, 100, 8, 10, 3}, {10, 100, 0, 0, 0}, {1 << 63, 1, 0, 0, 0}, {1<<64 - 1, 1, 0, 0, 0}, {3, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		got := j.since(tt.since, tt.n)
		if len(got) != tt.count || tt.count > 0 && (got[0].Seq != tt.first || got[len(got)-1].Seq != tt.last) {
			t.Errorf("since(%d, %d) = %v; want %d from %d to %d", tt.since, tt.n, got, tt.count, tt.first, tt.last)
		}
	}
}
