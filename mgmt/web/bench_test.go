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

// BenchmarkReport makes and shows a report on two hundred servers.
func BenchmarkReport(b *testing.B) {
	l := newLab(b)
	l.setPassword()
	l.poller.Poll(b.Context())
	list := "address,name,group,product,version\n"
	for i := range 200 {
		list += fmt.Sprintf("192.0.2.%d,portal %d,group %d,gin,1.8.%d\n", i+1, i, i%7, i%3)
	}
	if w := l.upload("admin", "/servers/csv", list); w.Code != 303 {
		b.Fatalf("CSV: %d %s", w.Code, w.Body)
	}
	l.change(2)
	cookie, _ := l.session()
	for _, kind := range []string{"exposure", "compliance", "effect", "changes"} {
		b.Run(kind, func(b *testing.B) {
			size := 0
			for b.Loop() {
				w := l.do("GET", "/reports/now?kind="+kind, "", with(cookie))
				if w.Code != 200 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "page-bytes")
		})
	}
}
