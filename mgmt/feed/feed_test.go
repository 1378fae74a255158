package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/store"
)

const kev = `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2026-1000","vulnerabilityName":"x","dateAdded":"2026-10-01","dueDate":"2026-10-22","knownRansomwareCampaignUse":"Unknown"}]}`

func osv(n int) string {
	return fmt.Sprintf(`{"id":"GHSA-%d","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2026-%d"],"affected":[{"package":{"ecosystem":"npm","name":"qs"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"6.1.0"}]}]}]}`, n, 2000+n)
}

func csaf(n int) string {
	return fmt.Sprintf(`{"document":{"csaf_version":"2.0","title":"t","publisher":{"name":"v"},"tracking":{"id":"V-%d"}},"product_tree":{"full_product_names":[{"product_id":"p","name":"portal"}]},"vulnerabilities":[{"cve":"CVE-2026-%d","product_status":{"known_affected":["p"]}}]}`, n, 3000+n)
}

// bench is a puller, and a source that it fetches from by TLS.
type bench struct {
	*testing.T
	puller *Puller
	server *httptest.Server
	ca     string
	now    time.Time

	mu    sync.Mutex
	files map[string]string
	asked []string
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, now: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), files: map[string]string{}}
	b.server = httptest.NewTLSServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.server.Close)
	b.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.server.Certificate().Raw}))
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{audit.Schema, inventory.Schema, inventory.FoundSchema, inventory.StandingSchema, Schema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := func() time.Time { return b.now }
	b.puller = &Puller{DB: db, Inventory: &inventory.Store{DB: db, Now: now}, Folder: t.TempDir(), Audit: audit.New(db, now, slog.New(slog.DiscardHandler), func(audit.Record) {}), Now: now}
	return b
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r.URL.Path)
	text, ok := b.files[r.URL.Path]
	tag := fmt.Sprintf(`"%d"`, len(text))
	switch {
	case !ok:
		http.NotFound(w, r)
	case strings.HasPrefix(text, "to "):
		http.Redirect(w, r, text[3:], http.StatusFound)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", tag)
		io.WriteString(w, text)
	}
}

func (b *bench) put(path, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[path] = text
}

// pull sets a source, has it be fetched, and returns how it is doing.
func (b *bench) pull(f Feed) Feed {
	b.Helper()
	f.Name, f.CA, f.Hours = "one", b.ca, 24
	if err := b.puller.Put(f); err != nil {
		b.Fatal(err)
	}
	return b.again()
}

func (b *bench) again() Feed {
	b.Helper()
	b.puller.Due(b.Context())
	f, err := b.puller.get("one")
	if err != nil {
		b.Fatal(err)
	}
	if left, _ := os.ReadDir(b.puller.Folder); len(left) > 0 {
		b.Errorf("left behind: %v", left)
	}
	return f
}

func (b *bench) known() int {
	b.Helper()
	n, err := b.puller.Inventory.CountAdvisories()
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func TestKEVOnASchedule(t *testing.T) {
	b := newBench(t)
	b.put("/kev.json", kev)
	f := b.pull(Feed{Kind: "kev", URL: b.server.URL + "/kev.json"})
	if f.Error != "" || f.Got != 1 || b.known() != 1 || !f.Next.Equal(b.now.Add(24*time.Hour)) {
		t.Fatalf("%+v, %d known", f, b.known())
	}
	b.now = b.now.Add(23 * time.Hour)
	if b.again(); len(b.asked) != 1 {
		t.Errorf("asked %d times before it is due", len(b.asked))
	}
	b.now = b.now.Add(2 * time.Hour)
	if f = b.again(); len(b.asked) != 2 || f.Error != "" || f.Got != 1 || !f.Last.Equal(b.now) {
		t.Errorf("nothing new: %+v after %d questions", f, len(b.asked))
	}
	b.put("/kev.json", "not JSON")
	b.now = b.now.Add(25 * time.Hour)
	if f = b.again(); f.Error == "" || !f.Next.Equal(b.now.Add(retry)) || b.known() != 1 {
		t.Errorf("a faulty file: %+v; want it told, tried again soon, and the old one kept", f)
	}
	if err := b.puller.Remove("one"); err != nil || b.known() != 1 {
		t.Errorf("remove: %v, %d known", err, b.known())
	}
	if err := b.puller.Soon("one"); err != ErrNone {
		t.Errorf("one that is gone: %v", err)
	}
}

func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	z.Close()
	return b.String()
}

func TestOSVArchive(t *testing.T) {
	b := newBench(t)
	files := map[string]string{"../../etc/passwd": "x", "MAL-1.json": `{"id":"MAL-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"evil"}}]}`}
	for i := range 1100 {
		files[fmt.Sprintf("GHSA-%d.json", i)] = osv(i)
	}
	b.put("/all.zip", archive(t, files))
	if f := b.pull(Feed{Kind: "osv", URL: b.server.URL + "/all.zip"}); f.Error != "" || f.Got != 1100 || b.known() != 1100 {
		t.Errorf("%+v, %d known; want 1100, without what has no CVE", f, b.known())
	}
	b.put("/bomb.zip", archive(t, map[string]string{"a.json": strings.Repeat(" ", maxEntry+1)}))
	if f := b.pull(Feed{Kind: "osv", URL: b.server.URL + "/bomb.zip"}); !strings.Contains(f.Error, "unpacks to too much") {
		t.Errorf("an archive that unpacks to too much: %+v", f)
	}
	long := map[string]string{}
	for i := range 900 {
		long[fmt.Sprintf("%060000d.txt", i)] = ""
	}
	b.put("/names.zip", archive(t, long))
	if f := b.pull(Feed{Kind: "osv", URL: b.server.URL + "/names.zip"}); !strings.Contains(f.Error, "its list of files is larger than 48 MiB") {
		t.Errorf("an archive with a huge list of files: %+v", f)
	}
}

// A folder's documents are fetched once each, the oldest first; one that cannot
// be read keeps nobody from the others.
func TestCSAFFolder(t *testing.T) {
	b := newBench(t)
	b.put("/csaf/changes.csv", "\"2026/c.json\",\"2026-11-03T00:00:00Z\"\n\"2026/b.json\",\"2026-11-02T00:00:00Z\"\n\"2026/a.json\",\"2026-11-01T00:00:00Z\"\n\"../../up.json\",\"2026-11-01T00:00:00Z\"\n")
	b.put("/csaf/2026/a.json", csaf(1))
	b.put("/csaf/2026/b.json", "faulty")
	b.put("/csaf/2026/c.json", csaf(3))
	b.put("/csaf/up.json", csaf(4))
	f := b.pull(Feed{Kind: "csaf", URL: b.server.URL + "/csaf/"})
	if !strings.Contains(f.Error, "1 documents could not be read, the first: 2026/b.json") || b.known() != 3 {
		t.Errorf("%+v, %d known", f, b.known())
	}
	before := len(b.asked)
	b.now = b.now.Add(48 * time.Hour)
	b.put("/csaf/changes.csv", "\"2026/d.json\",\"2026-11-04T00:00:00Z\"\n\"2026/c.json\",\"2026-11-03T00:00:00Z\"\n")
	b.put("/csaf/2026/d.json", csaf(5))
	if f = b.again(); f.Error != "" || b.known() != 4 || len(b.asked) != before+2 {
		t.Errorf("%+v, %d known, asked %q; want only what is new", f, b.known(), b.asked[before:])
	}
	b.put("/one.json", csaf(9))
	if f = b.pull(Feed{Kind: "csaf", URL: b.server.URL + "/one.json"}); f.Error != "" || f.Got != 1 {
		t.Errorf("a single document: %+v", f)
	}
}

// A document that was taken back keeps those behind it from nobody; one that is not
// there yet is waited for.
func TestCSAFDocumentGone(t *testing.T) {
	b := newBench(t)
	recent := b.now.Add(-time.Hour).Format(time.RFC3339)
	b.put("/csaf/changes.csv", "\"2026/d.json\",\""+recent+"\"\n\"2026/b.json\",\"2026-01-02T00:00:00Z\"\n\"2026/a.json\",\"2026-01-01T00:00:00Z\"\n")
	b.put("/csaf/2026/b.json", csaf(2))
	f := b.pull(Feed{Kind: "csaf", URL: b.server.URL + "/csaf/"})
	if !strings.Contains(f.Error, "404") || b.known() != 1 || f.Upto.Month() != time.January {
		t.Errorf("%+v, %d known; want what stands behind the one that is gone", f, b.known())
	}
	b.put("/csaf/2026/d.json", csaf(4))
	b.now = b.now.Add(2 * time.Hour)
	if f = b.again(); f.Error != "" || b.known() != 2 {
		t.Errorf("%+v, %d known; want the one that came late", f, b.known())
	}
}

// What a power cut leaves of a fetch is removed.
func TestUnfinishedIsRemoved(t *testing.T) {
	b := newBench(t)
	left := filepath.Join(b.puller.Folder, "feed-123.tmp")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b.puller.Run(ctx)
	if _, err := os.Stat(left); err == nil {
		t.Error("half a file takes room for good")
	}
}

// Nobody leads the box to another place, or to itself.
func TestRefused(t *testing.T) {
	b := newBench(t)
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a foreign address was asked") }))
	defer inner.Close()
	b.put("/away", "to "+inner.URL)
	b.put("/round", "to /round")
	b.put("/here", "to /kev.json")
	b.put("/kev.json", kev)
	for path, want := range map[string]string{"/away": "it leads to", "/round": "it leads to", "/none": "404", "/here": ""} {
		if f := b.pull(Feed{Kind: "kev", URL: b.server.URL + path}); want == "" && f.Error != "" || !strings.Contains(f.Error, want) {
			t.Errorf("%s: %q; want %q", path, f.Error, want)
		}
	}
	for what, f := range map[string]Feed{
		"no TLS": {Name: "a", Kind: "kev", URL: "http://example.com/", Hours: 24}, "a file": {Name: "a", Kind: "kev", URL: "file:///etc/passwd", Hours: 24}, "no kind": {Name: "a", URL: "https://example.com/", Hours: 24},
		"too often": {Name: "a", Kind: "kev", URL: "https://example.com/", Hours: 0}, "a name": {Name: "../a", Kind: "kev", URL: "https://example.com/", Hours: 24}, "a proxy": {Name: "a", Kind: "kev", URL: "https://example.com/", Proxy: "gopher://x", Hours: 24},
		"an authority": {Name: "a", Kind: "kev", URL: "https://example.com/", CA: "x", Hours: 24},
	} {
		if err := b.puller.Put(f); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	f := Feed{Name: "one", Kind: "kev", URL: b.server.URL + "/kev.json", Hours: 24} // a certificate that nobody vouches for
	if err := b.puller.Put(f); err != nil {
		t.Fatal(err)
	}
	if f = b.again(); !strings.Contains(f.Error, "certificate") {
		t.Errorf("an unknown certificate: %q", f.Error)
	}
}

// A password in an address is for the source alone: errors and the audit log, which
// goes to other systems, do not have it.
func TestPasswordOfASource(t *testing.T) {
	b := newBench(t)
	b.put("/kev.json", kev)
	with := strings.Replace(b.server.URL, "https://", "https://box:Pa55word@", 1)
	for path, want := range map[string]string{"/kev.json": "", "/none": "404", "/csaf/": "404"} {
		f := b.pull(Feed{Kind: "csaf", URL: with + path})
		if !strings.Contains(f.Error, want) || strings.Contains(f.Error, "Pa55word") {
			t.Errorf("%s: %q; want %q, without the password", path, f.Error, want)
		}
	}
	all, err := b.puller.Audit.Since(0, 100)
	if err != nil || len(all) == 0 {
		t.Fatalf("audit log: %d records, %v", len(all), err)
	}
	for _, r := range all {
		if strings.Contains(r.Bytes, "Pa55word") {
			t.Errorf("the audit log has the password: %s", r.Bytes)
		}
	}
}

// Through a proxy, which sees a tunnel only.
func TestProxy(t *testing.T) {
	b := newBench(t)
	b.put("/kev.json", kev)
	tunnels := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy got %s %s", r.Method, r.URL)
			return
		}
		tunnels++
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(to, c); to.Close() }()
		go func() { io.Copy(c, to); c.Close() }()
	}))
	defer proxy.Close()
	if f := b.pull(Feed{Kind: "kev", URL: b.server.URL + "/kev.json", Proxy: proxy.URL}); f.Error != "" || f.Got != 1 || tunnels != 1 {
		t.Errorf("%+v through %d tunnels", f, tunnels)
	}
}
