package e2e

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/session"
)

// TestStruckBelow: where all that is to be corrected is one line of a request,
// the kernel does it. The server gets what it would get from the engine, and the
// event is the same; what the kernel leaves to the engine in between changes
// nothing about the session.
func TestStruckBelow(t *testing.T) { eachWay(t, testStruckBelow) }

func testStruckBelow(t *testing.T, attach string) {
	definitions, _ := allCorrect(t)
	b := newBoxWith(t, attach, settingsText, definitions)
	l := listen(t, b)
	for _, address := range []string{netns.Server4 + ":80", "[" + netns.Server6 + "]:80"} {
		c, server := pairTo(t, b, l, address)
		testStruckIn(t, b, c, server)
	}
}

func testStruckIn(t *testing.T, b *box, c *conn, server net.Conn) {
	const (
		first, last = "GET /a?b=c HTTP/1.1\r\nHost: a\r\n", "Accept: */*\r\n\r\n"
		line        = "X-Middleware-Subrequest: src/middleware:nowaf:middleware\r\n"
		rounds      = 40
	)
	before := b.status(t)
	kernel, events := before.Kernel.Struck, before.LastEvent
	for i := range rounds {
		odd := strings.Repeat("X-Filler: "+strings.Repeat("f", i)+"\r\n", i%3) // of any length, also odd
		c.exchange(t, server, first+odd+line+last, first+odd+last)
	}
	after := b.status(t)
	if n := after.Kernel.Struck - kernel; n != rounds {
		t.Errorf("%d of %d requests were corrected in the kernel; want all", n, rounds)
	}
	if n := after.Sessions.Edited - before.Sessions.Edited; n != 1 {
		t.Errorf("%d sessions count as edited; want 1", n)
	}
	c.exchange(t, server, first+last, first+last)
	// In two segments it is the engine's, which takes the session as it stands.
	if _, err := io.WriteString(c, first+line[:10]); err != nil {
		t.Fatal(err)
	}
	acknowledged(t, c)
	c.exchange(t, server, line[10:]+last, first+last)
	c.exchange(t, server, first+line+last, first+last)
	c.exchange(t, server, first+line+line+last, first+last)
	c.exchange(t, server, first+last, first+last)
	c.exchange(t, server, first+line+last, first+last)

	var found []control.Event
	for len(found) < rounds+5 {
		all, err := b.control.Events(t.Context(), events, patience)
		if err != nil || len(all) == 0 {
			t.Fatalf("%d corrections are told, %v; want %d", len(found), err, rounds+5)
		}
		for _, e := range all {
			if events = e.ID; e.Kind == "correction" {
				found = append(found, e)
			}
		}
	}
	want := session.Evidence{Definition: "WP-2025-29927", Revision: 2, Mode: "correct", Action: "remove", Element: "request.header", Before: []byte(line)}
	for i, e := range found {
		if diff := cmp.Diff(&want, e.Evidence); diff != "" {
			t.Errorf("correction %d (-want +got):\n%s", i, diff)
		}
		if e.Client != c.LocalAddr().String() || e.Service != found[rounds].Service || e.Text != found[rounds].Text {
			t.Errorf("correction %d is told as %+v; want it as the engine's %+v", i, e, found[rounds])
		}
	}
}
