package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// startDownloads starts a server that names files as vulnerable versions of gin
// do: quotes within the name are not quoted.
func startDownloads(t *testing.T, n *netns.NS, addr string) {
	t.Helper()
	var l net.Listener
	n.Must(t, func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "plain") })
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="`+r.FormValue("name")+`"`)
		fmt.Fprint(w, "file")
	})
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// TestJudgedBelow: with the definitions that are on by default, requests and
// their answers stay in the kernel, and a response whose rule asks what the
// request was is corrected, though the request had stayed there.
func TestJudgedBelow(t *testing.T) { eachWay(t, testJudgedBelow) }

func testJudgedBelow(t *testing.T, attach string) {
	definitions, _ := allCorrect(t)
	b := newBoxWith(t, attach, settingsText, definitions)
	startDownloads(t, b.Server, netns.Server4+":80")
	handed := func() uint64 {
		s := b.status(t)
		return s.Ports[0].HandedUp + s.Ports[1].HandedUp
	}
	ask := func(c *conn, path, want string) {
		t.Helper()
		got := c.get(t, path, "User-Agent: curl/7.88.1\r\nAccept: */*\r\nAccept-Language: de-DE,de;q=0.9\r\nOrigin: http://a.example\r\n", nil)
		if want != "" {
			want = fmt.Sprint([]string{want})
		}
		_, named, _ := strings.Cut(got, "Content-Disposition:")
		if !strings.HasPrefix(named, want) || want == "" && named != "" {
			t.Errorf("GET %s = %s; want Content-Disposition: %s", path, got, want)
		}
	}

	c := dial(t, b.Client, netns.Server4+":80")
	before := handed()
	for range 50 {
		ask(c, "/plain?q=caf%C3%A9+au+lait", "")
	}
	if n := handed() - before; n > 0 {
		t.Errorf("%d frames of 50 exchanges went up; want none", n)
	}
	ask(c, "/download?name=setup.bat%22%3Bx=.txt", `attachment; filename="setup.bat\";x=.txt"`)
	e := b.event(t, "correction", "WP-2023-29401")
	if e.Evidence == nil {
		t.Errorf("event %+v; want one with evidence", e)
	}
	ask(c, "/plain", "") // the session is the engine's now
	ask(c, "/download?name=a%5C%22", `attachment; filename="a\\\""`)
	fresh := dial(t, b.Client, netns.Server4+":80")
	ask(fresh, "/download?name=report.txt", `attachment; filename="report.txt"`)
}
