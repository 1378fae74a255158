package prove

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// TestBrowse has Chromium say requests to a server on the other end of a cable.
func TestBrowse(t *testing.T) {
	w := browsed(t)
	for _, c := range []struct {
		name, request string
		want          []string // in what the page saw; none: a page cannot say it
	}{
		{"a page", "GET /page?a=1&b=%20c", []string{"fetch: 200 OK /page \r\n", "\r\nx-seen: GET /page?a=1&b=%20c\r\n", "<p>Ã¼</p>", "XMLHttpRequest: 200 OK /page \r\n"}},
		{"a form in the query", "GET /page?a=1&b=+c", []string{"a form: text/html <html>", "<p>ü</p>"}},
		{"a form in the body", "POST /page\nContent-Type: application/x-www-form-urlencoded\n\na=1&b=+c", []string{"a form: text/html <html>", "a=1&amp;b=+c"}},
		{"a file to keep", "GET /file?a=1", []string{"fetch: 200 OK /file \r\n", "\r\ncontent-disposition: attachment\r\n"}},
		{"octets", "PUT /page\nX-A: b\nContent-Type: a/b\n\n${unhex('00ff')}", []string{"x-type: a/b\r\n", "\x00\u00ff"}},
		{"a redirect", "GET /away", []string{"fetch: 200 OK /page \r\n"}},
		{"a redirect to nowhere", "GET /gone", []string{"fetch: TypeError: Failed to fetch", "XMLHttpRequest: no answer"}},
		{"dots", "GET /a/../page", nil},
		{"a field of the browser's own", "GET /page\nCookie: a=b", nil},
		{"a target of a proxy's", "GET http://a/page", nil},
	} {
		r, err := parseRequest(c.request)
		if err != nil {
			t.Fatal(err)
		}
		script := r.browserScript()
		if script == "" {
			if len(c.want) > 0 {
				t.Errorf("%s: no page can say it; want %q", c.name, c.want)
			}
			continue
		}
		got, err := w.chromium.evaluate(script)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the page saw %q; want %q in it", c.name, got, want)
			}
		}
		if c.name == "a file to keep" && strings.Contains(got, "a form: ") {
			t.Errorf("%s: the page saw %q; want no form, whose answer no page would show", c.name, got)
		}
		if len(c.want) == 0 && got != "" {
			t.Errorf("%s: the page saw %q; it cannot say that", c.name, got)
		}
	}
	if got, err := w.chromium.evaluate("nothing.at.all"); err == nil || !strings.Contains(err.Error(), "ReferenceError") {
		t.Errorf("a wrong script gives %q, %v; want its error", got, err)
	}
	if got, err := w.chromium.evaluate("socket('/page', ['a'])"); err != nil || !strings.HasPrefix(got, "error\r\nclosed\r\n1006") {
		t.Errorf("a WebSocket to a page gives %q, %v; want an error, and its end", got, err)
	}
	if got, err := w.chromium.evaluate("1"); err == nil {
		t.Errorf("a script without a text gives %q; want an error", got)
	}
}

// browsed is a world with a browser and a server of pages.
func browsed(t *testing.T) *world {
	t.Helper()
	bed := netns.NewCable(t)
	var l net.Listener
	bed.Server.Must(t, func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprintf("%s:%d", netns.Server4, port))
		return err
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI)
		w.Header().Set("X-Type", r.Header.Get("Content-Type"))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<p>ü</p>")
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Accept-Ranges", "none") // which a page sees before
		w.Header().Set("Content-Disposition", "attachment")
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "a file")
	})
	mux.Handle("/away", http.RedirectHandler("/page", http.StatusFound))
	mux.Handle("/gone", http.RedirectHandler("http://nowhere.invalid/", http.StatusFound))
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	b, err := openChromium(context.Background(), bed.Client, t.TempDir(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return &world{bed: bed, chromium: b}
}
