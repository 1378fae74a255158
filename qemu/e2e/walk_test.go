package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	wireSession "wirepatch/dataplane/session"
	"wirepatch/mgmt/browser"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/wire"
	"wirepatch/qemu/bed"
)

// manyEvents are on the box whose pages are walked through.
const manyEvents = 100_000

// slow is what no page may take, on an emulated processor that others use, too.
// How long each takes is logged; 300 ms are promised on an idle computer.
const slow = 5 * time.Second

// mgmtUser owns mgmt's folder on the data disk (init).
const mgmtUser = 900

// TestWalk: Chromium walks through every page of the booted image, whose store
// has 100,000 events: set-up, a correction of its own, the pages, signing in again.
func TestWalk(t *testing.T) {
	b, err := startAs(t.Context(), bed.Config{Settings: bed.Settings, DiskMB: 1024, Fill: func(dir string) error { return fillEvents(t.Context(), filepath.Join(dir, "mgmt")) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	box := b.Manage(t.Context())
	const password = "four plain words here"
	w := browser.Open(t, b.Management, box.Fingerprint)
	w.SetUp(strings.ToLower(box.SetupCode), "admin", password)
	through(t, b, corrected)
	w.Until("see the correction of it", `document.querySelector("#corrections")?.innerText.includes("WP-2023-26125")`)
	w.Until("see it in the chart", `(f => Boolean(f?.querySelector(".uplot canvas")) && JSON.parse(f.dataset.plot).values[0].some(v => v > 0))(document.querySelector("#chart-minutes"))`)
	w.Until("see rates in the chart", `/to servers\s*[0-9.]+\s[kMG]?bit.s\s*to clients\s*[0-9.]+\s[kMG]?bit.s/.test(document.querySelector("#chart-rates .u-legend")?.innerText ?? "")`)
	pages := browser.Ask[[]string](w, `[...document.querySelectorAll(".top nav a")].map(a => a.getAttribute("href"))`)
	if len(pages) < 12 {
		t.Errorf("the pages are %q; want all of them", pages)
	}
	for _, page := range append(pages, "/account") {
		w.Go(page)
		w.Shot("walk-" + strings.Trim(strings.ReplaceAll(page, "/", "-"), "-"))
		if said := w.Complaints(); len(said) > 0 {
			t.Errorf("%s: the browser complains: %q", page, said)
		}
	}
	w.Go("/corrections?definition=WP-2023-26125")
	if text := w.Text("#main"); !strings.Contains(text, "WP-2023-26125") {
		t.Errorf("a search finds %.500q; want corrections", text)
	}
	w.SignOut()
	w.SignIn("admin", password)
	timePages(t, b, box.Fingerprint, password, pages)
	for _, page := range single { // which there are only now
		w.Go(page)
		w.Shot("walk" + strings.NewReplacer("/", "-", "?", "-").Replace(page))
		if said := w.Complaints(); len(said) > 0 {
			t.Errorf("%s: the browser complains: %q", page, said)
		}
	}
}

// single are pages of one thing each, and lists that are narrowed down.
var single = []string{"/patches/WP-2023-26125", "/servers/192.0.2.7", "/vulnerabilities/CVE-2023-26125", "/changes/1", "/corrections/2", "/corrections?show=events", "/corrections?q=content-disposition",
	"/reports/now?kind=exposure", "/reports/now?kind=compliance", "/reports/now?kind=effect", "/reports/now?kind=changes"}

// timePages asks for each page a few times on one connection, as a browser does,
// and logs the median.
func timePages(t *testing.T, b *bed.Bed, fingerprint, password string, pages []string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: certs.Pinned(fingerprint)}}
	base := "https://" + b.Management
	resp, err := c.Post(base+"/api/v1/login", "application/json", strings.NewReader(fmt.Sprintf(`{"user":"admin","password":%q}`, password)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	stock(t, c, base)
	for _, page := range slices.Concat(pages, single, []string{"/live", "/api/v1/status", "/api/v1/log", "/api/v1/system", "/api/v1/exposures"}) {
		var took []time.Duration
		size := 0
		for range 5 {
			begun := time.Now()
			text, err := get(c, base+page)
			if err != nil {
				t.Fatalf("GET %s: %v", page, err)
			}
			took, size = append(took, time.Since(begun)), len(text)
		}
		slices.Sort(took)
		t.Logf("%-40s %4d ms, %d to %d, %d bytes", page, took[2].Milliseconds(), took[0].Milliseconds(), took[4].Milliseconds(), size)
		if took[0] > slow {
			t.Errorf("%s takes %v at best; want far less", page, took[0])
		}
	}
}

// manyServers are in the inventory when pages are timed, each open to something.
const manyServers = 200

// stock fills the inventory, has two changes made, and waits until all is judged.
func stock(t *testing.T, c *http.Client, base string) {
	t.Helper()
	list := "address,name,group,product,version\n"
	for i := range manyServers {
		list += fmt.Sprintf("192.0.2.%d,portal %d,group %d,gin,1.8.%d\n", i+1, i, i%7, i%3)
	}
	for _, ask := range [][2]string{
		{"/servers/csv", fmt.Sprintf(`{"text":%q}`, list)},
		{"/advisories/add", fmt.Sprintf(`{"text":%q}`, `{"id":"CVE-2023-26125","modified":"2023-06-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"gin"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.9.0"}]}]}]}`)},
		{"/draft/mode", `{"definition":"WP-2023-29401","mode":"shadow"}`}, {"/changes/submit", `{"reason":"to be watched first"}`},
		{"/draft/mode", `{"definition":"WP-2023-29401","mode":"correct"}`},
	} {
		resp, err := c.Post(base+"/api/v1"+ask[0], "application/json", strings.NewReader(ask[1]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: %s %.300s %v", ask[0], resp.Status, text, err)
		}
	}
	for end := time.Now().Add(terminalTime); ; time.Sleep(200 * time.Millisecond) {
		text, err := get(c, base+"/api/v1/exposures")
		if err == nil && strings.Count(text, "CVE-2023-26125") >= manyServers {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d servers are judged; want %d: %v", strings.Count(text, "CVE-2023-26125"), manyServers, err)
		}
	}
}

// fillEvents makes a store with many events, as mgmt does.
func fillEvents(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := events.Open(filepath.Join(dir, "events.db"), events.DefaultLimits, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go s.Run(ctx)
	first := time.Now().Add(-manyEvents * time.Second)
	for i := range manyEvents {
		for i%1000 == 0 && s.Health().Waiting > 0 {
			time.Sleep(time.Millisecond)
		}
		e := control.Event{ID: uint64(i + 1), Time: first.Add(time.Duration(i) * time.Second), Kind: "correction", Text: "WP-2023-29401 set response.header", Service: "portal",
			Client: fmt.Sprintf("10.77.0.%d:%d", i%200+1, 1024+i%60000), Server: "10.77.0.2:80",
			Evidence: &wireSession.Evidence{Definition: "WP-2023-29401", Revision: 1, Mode: "correct", Action: "set", Element: "response.header",
				Before: []byte(fmt.Sprintf("Content-Disposition: attachment; filename=\"x%d.sh\";dummy=.txt\"\r\n", i)), After: []byte(fmt.Sprintf("Content-Disposition: attachment; filename=\"x%d.sh\\\";dummy=.txt\"\r\n", i))}}
		if i%10 == 0 {
			e = control.Event{ID: uint64(i + 1), Time: e.Time, Kind: "link", Text: "wire-b has link"}
		}
		s.Keep(wire.Record{Seq: uint64(i + 1), Source: "earlier", Event: e}, "earlier", uint64(i+1))
	}
	for s.Health().Records < manyEvents {
		if lost := s.Health().Lost; lost > 0 || ctx.Err() != nil {
			return fmt.Errorf("%d events are lost: %w", lost, ctx.Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	end()
	s.Wait()
	return errors.Join(filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, mgmtUser, mgmtUser))
	}))
}
