package update

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestProxy: a box that reaches nothing but its proxy finds and fetches updates
// through it.
func TestProxy(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	files := http.FileServer(http.Dir(a.Dir))
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A client of a proxy names the whole address.
		if r.URL.Host != "repository.test" {
			http.Error(w, "not asked as a proxy", http.StatusBadRequest)
			return
		}
		asked.Add(1)
		files.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	w, err := NewWeb("http://repository.test", proxy.URL)
	a.must("", err)
	c := a.box()
	o, err := c.Check(t.Context(), w)
	a.must("", err)
	if _, err := c.Download(t.Context(), w, o.Firmware, func(int64) {}); err != nil {
		t.Errorf("Download through the proxy = %v", err)
	}
	if asked.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	proxy.Close()
	if _, err := a.box().Check(t.Context(), w); code(err) != Unreachable || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("Check with a proxy that is gone = %v; want %s, and the proxy named", err, Unreachable)
	}
	if _, err := NewWeb("http://repository.test", "://"); err == nil {
		t.Error("NewWeb with a proxy that is no address = nil; want an error")
	}
}

// TestProxyTunnel: to a repository with TLS the proxy leads by a tunnel.
func TestProxyTunnel(t *testing.T) {
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		http.Error(w, "not here", http.StatusForbidden)
	}))
	defer proxy.Close()
	a := newAuthor(t)
	w, err := NewWeb("https://repository.test", proxy.URL)
	a.must("", err)
	if _, err := a.box().Check(t.Context(), w); code(err) != Unreachable {
		t.Errorf("Check through a proxy that refuses = %v; want %s", err, Unreachable)
	}
	if asked.Load() != "CONNECT repository.test:443" {
		t.Errorf("the proxy was asked %v; want a tunnel to repository.test:443", asked.Load())
	}
}

// TestCredentials: name and password of a repository are for that alone, and stand in
// no error, which goes to the log and to everybody who looks at the page.
func TestCredentials(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	files := http.FileServer(http.Dir(a.Dir))
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			elsewhere.Add(1)
		}
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case name != "customer-7" || password != "s3cr@t":
			http.Error(w, "who are you", http.StatusUnauthorized)
		default:
			files.ServeHTTP(w, r)
		}
	}))
	defer s.Close()
	from := func(who string) *Web {
		t.Helper()
		w, err := NewWeb(strings.Replace(s.URL, "//", "//"+who+"@", 1), "")
		a.must("", err)
		return w
	}
	w := from("customer-7:s3cr%40t")
	if o, err := a.box().Check(t.Context(), w); err != nil || o.Firmware == nil {
		t.Errorf("Check with name and password = %v, %v; want the firmware", o, err)
	}
	r, err := w.Open(t.Context(), "away", 0)
	a.must("", err)
	r.Close()
	if elsewhere.Load() > 0 {
		t.Error("another server got name and password")
	}
	_, refused := a.box().Check(t.Context(), from("customer-7:wrong-s3cr3t"))
	s.Close()
	_, away := a.box().Check(t.Context(), w)
	for _, err := range []error{refused, away} {
		if code(err) != Unreachable || strings.Contains(err.Error(), "customer-7") || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("Check = %v; want %s, without name and password", err, Unreachable)
		}
	}
}

// TestNoRanges: a server that sends every file from its beginning is good enough
// to go on from.
func TestNoRanges(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	files := http.FileServer(http.Dir(a.Dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		files.ServeHTTP(w, r)
	}))
	defer s.Close()
	w, err := NewWeb(s.URL, "")
	a.must("", err)
	c := a.box()
	o, err := c.Check(t.Context(), w)
	a.must("", err)
	if _, err := c.Download(t.Context(), &breaking{Source: w, after: 300_000}, o.Firmware, func(int64) {}); code(err) != Unreachable {
		t.Fatalf("Download over a line that breaks = %v; want %s", err, Unreachable)
	}
	if _, err := c.Download(t.Context(), w, o.Firmware, func(int64) {}); err != nil {
		t.Errorf("Download goes on with %v", err)
	}
}

// TestProgress: how far a download is can be told at any time, and never goes
// back.
func TestProgress(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	c, w := a.box(), a.web()
	o, err := c.Check(t.Context(), w)
	a.must("", err)
	var told []int64
	_, err = c.Download(t.Context(), w, o.Firmware, func(n int64) { told = append(told, n) })
	a.must("", err)
	if len(told) < 5 || !slices.IsSorted(told) || told[len(told)-1] != o.Firmware.Bytes {
		t.Errorf("told %d times, last of %d bytes; want often, up to %d", len(told), told[len(told)-1], o.Firmware.Bytes)
	}
}

// TestRoomFirst: what has no room is refused before a byte is fetched.
func TestRoomFirst(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	c, w := a.box(), a.web()
	o, err := c.Check(t.Context(), w)
	a.must("", err)
	o.Firmware.Bytes = 1 << 60
	asked := &breaking{Source: w, from: -1}
	if _, err := c.Download(t.Context(), asked, o.Firmware, func(int64) {}); code(err) != NoRoom || asked.from != -1 {
		t.Errorf("Download = %v, asked from %d; want %s before anything is asked", err, asked.from, NoRoom)
	}
}

// TestTorn: metadata of which a power cut left a part, or nothing, does not keep a
// box from its updates.
func TestTorn(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	c := a.box()
	_, err := c.Check(t.Context(), a.web())
	a.must("", err)
	all, err := filepath.Glob(filepath.Join(c.Dir, "metadata", "*.json"))
	a.must("", err)
	if len(all) < 5 {
		t.Fatalf("metadata kept: %q; want that of every role", all)
	}
	for _, f := range all {
		whole, err := os.ReadFile(f)
		a.must("", err)
		for _, left := range [][]byte{nil, whole[:len(whole)/2], make([]byte, len(whole))} {
			a.must("", os.WriteFile(f, left, 0o600))
			if o, err := c.Check(t.Context(), a.web()); err != nil || o.Firmware == nil {
				t.Errorf("Check with %d bytes of %s = %+v, %v; want what there is", len(left), filepath.Base(f), o, err)
			}
		}
	}
}
