package web

import (
	"bytes"
	"fmt"
	"testing"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// BenchmarkLive renders the page as an attacker would like it: lists full, and
// corrections as costly to compare and to show as can be.
func BenchmarkLive(b *testing.B) {
	l := newLab(b)
	l.setPassword()
	l.poller.Poll(b.Context())
	for i := range 2 * shownCorrections {
		before := bytes.Repeat([]byte{'a', 0}, 63)
		after := bytes.Repeat([]byte{0, 'b', 'a'}, 42)
		if i%2 == 0 {
			before, after = bytes.Repeat([]byte{'a', 0}, session.EvidenceLimit/2), nil
		}
		l.log.Add(control.Event{Kind: "correction", Text: fmt.Sprint(i), Evidence: &session.Evidence{Action: "set", Mode: "correct", Before: before, After: after}})
		l.log.Add(control.Event{Kind: "passed", Text: "\x1b[2J" + fmt.Sprint(i)})
	}
	l.poller.Poll(b.Context())
	cookie, _ := l.session()
	size := 0
	for b.Loop() {
		w := l.do("GET", "/live", "", with(cookie))
		if w.Code != 200 {
			b.Fatalf("GET /live: %d", w.Code)
		}
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size), "page-bytes")
}
