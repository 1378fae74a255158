// Package browser drives Debian's Chromium for the tests that walk through the
// management page as a person does, served by a test or by a booted appliance. It
// is of tests only, and knows the page's frame, not what is on single pages.
package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wirepatch/mgmt/certs"
)

// patience bounds one step, on an emulated machine that others use, too.
const patience = 4 * time.Minute

// Browser is Chromium with one tab.
type Browser struct {
	Base string // address of the page

	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// Step is something that the browser does.
type Step = chromedp.Action[chromedp.Void]

// CSS selects an element.
type CSS = chromedp.CSS

// Open starts Chromium for the page at address. It trusts the certificate whose
// SHA-256 the serial console names, by its key.
func Open(t testing.TB, address, fingerprint string) *Browser {
	t.Helper()
	conn, err := tls.Dial("tcp", address, certs.Pinned(fingerprint))
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); { // a machine may have told of its page just before it serves it
		time.Sleep(200 * time.Millisecond)
		conn, err = tls.Dial("tcp", address, certs.Pinned(fingerprint))
	}
	if err != nil {
		t.Fatal(err)
	}
	spki := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	conn.Close()
	// The folder of its profile is chromedp's own, which waits for Chromium's last
	// processes before it removes it: one that writes there meanwhile fails a test's own.
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &Browser{t: t, Base: "https://" + address, ctx: ctx}
	b.must(chromedp.Listen(ctx, b.listen))
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{}) // which starts it
	b.must(err)
	return b
}

func (b *Browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// listen keeps what the browser complains about: content policy, missing files,
// errors of scripts.
func (b *Browser) listen(ev any) {
	text := ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelVerbose {
			return // advice
		}
		text = e.Entry.Text + " " + e.Entry.URL
	}
	if text != "" {
		b.mu.Lock()
		b.complaints = append(b.complaints, text)
		b.mu.Unlock()
	}
}

// Complaints are what the browser has complained about since the last call.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.complaints
	b.complaints = nil
	return all
}

// Do takes steps; what names them in a failure.
func (b *Browser) Do(what string, steps ...Step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for _, step := range steps {
		err := chromedp.Do(ctx, step)
		for stale(err) && ctx.Err() == nil {
			err = chromedp.Do(ctx, step)
		}
		if err != nil {
			b.Shot("failure")
			b.t.Fatalf("%s: %v", what, err)
		}
	}
}

// stale says that a step found its element just before the page took another in its
// place: when it loads, or exchanges a part of itself. Nothing has been done to it.
func stale(err error) bool {
	if err == nil {
		return false
	}
	for _, said := range []string{"node with given id", "Node is detached from document", "Node does not have a layout object", "Could not compute content quads"} {
		if strings.Contains(err.Error(), said) {
			return true
		}
	}
	return false
}

// Run takes one step that answers.
func Run[T any](b *Browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	b.must(err)
	return v
}

// Call sends the browser a command that is no step of its own.
func Call[P, R any](b *Browser, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	v, err := chromedp.Call(b.ctx, cmd, params)
	b.must(err)
	return v
}

// Ask evaluates an expression in the page.
func Ask[T any](b *Browser, expression string) T {
	b.t.Helper()
	return Run(b, chromedp.Evaluate[T](expression))
}

// Text returns what an element shows.
func (b *Browser) Text(sel CSS) string {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		text, err := chromedp.Run(ctx, chromedp.Text(sel)) // an error: the page has just been left
		cancel()
		if err == nil {
			return text
		}
		if time.Now().After(end) {
			b.Shot("failure")
			b.t.Fatalf("what %s shows: %v", sel, err)
		}
	}
}

// Until waits until an expression is true in the page, whichever that is by then.
func (b *Browser) Until(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)) // an error: the page has just been left
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			b.Shot("failure")
			b.t.Fatalf("%s: not in %v; %v", what, patience, err)
		}
	}
}

// Reads waits until the page says something.
func (b *Browser) Reads(want string) {
	b.t.Helper()
	b.Until("wait until the page says "+want, fmt.Sprintf(`(document.querySelector("main")?.innerText ?? "").includes(%q)`, want))
}

// Dark has the page shown as people see it who prefer dark, or light again.
func (b *Browser) Dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// Fits says whether the page, not a list within it, must be scrolled sideways on a
// screen of that width.
func (b *Browser) Fits(width int64) {
	b.t.Helper()
	b.Do("resize", chromedp.EmulateViewport(width, 800))
	if got := Ask[int64](b, "document.documentElement.scrollWidth"); got > width {
		b.t.Errorf("the page is %d pixels wide on a screen of %d", got, width)
	}
}

// Go opens one of the box's pages.
func (b *Browser) Go(path string) {
	b.t.Helper()
	b.Do("open "+path, chromedp.Navigate(b.Base+path), chromedp.WaitVisible(CSS("main h1")))
}

// SetUp makes the first user with the set-up code.
func (b *Browser) SetUp(code, name, password string) {
	b.t.Helper()
	b.Do("set up", chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.Base+"/"), chromedp.WaitVisible(CSS("#code")), chromedp.SendKeys(CSS("#code"), code),
		chromedp.SetValue(CSS("#username"), name), chromedp.SendKeys(CSS("#password"), password), chromedp.SendKeys(CSS("#repeat"), password+"\r"), chromedp.WaitVisible(CSS("#wire")))
}

// SignIn begins a session of a user.
func (b *Browser) SignIn(name, password string) {
	b.t.Helper()
	b.Do("sign in as "+name, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.Base+"/login"), chromedp.WaitVisible(CSS("#username")),
		chromedp.SetValue(CSS("#username"), name), chromedp.SendKeys(CSS("#password"), password+"\r"), chromedp.WaitVisible(CSS(".top nav")))
}

// SignOut ends it.
func (b *Browser) SignOut() {
	b.t.Helper()
	b.Do("sign out", chromedp.Click(CSS(".top form button")), chromedp.WaitVisible(CSS("#username")))
}

// Shot leaves a picture of the whole page in the folder that
// WIREPATCH_SCREENSHOTS names, if it does.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	dir := os.Getenv("WIREPATCH_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
	}
	if err != nil {
		b.t.Log(err)
	}
}
