// Package browser drives Debian's Chromium at the management page of a booted
// appliance, for the tests that walk through it as a person does.
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
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds one walk through the pages of an emulated machine.
const patience = 20 * time.Minute

// Browser is Chromium with one tab.
type Browser struct {
	testing.TB
	Base string // address of the page

	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// Step is something that the browser does.
type Step = chromedp.Action[chromedp.Void]

// CSS selects an element.
type CSS = chromedp.CSS

// Pinned accepts the one certificate that the serial console names.
func Pinned(sum string) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does
		VerifyConnection: func(s tls.ConnectionState) error {
			if got := fmt.Sprintf("%x", sha256.Sum256(s.PeerCertificates[0].Raw)); got != sum {
				return fmt.Errorf("certificate SHA-256 is %s; the console says %s", got, sum)
			}
			return nil
		},
	}
}

// Open starts Chromium for the page at address. It trusts the certificate whose
// SHA-256 the serial console names, by its key.
func Open(t testing.TB, address, fingerprint string) *Browser {
	t.Helper()
	conn, err := tls.Dial("tcp", address, Pinned(fingerprint))
	if err != nil {
		t.Fatal(err)
	}
	spki := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	conn.Close()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &Browser{TB: t, Base: "https://" + address, ctx: ctx}
	err = chromedp.Listen(ctx, b.listen)
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
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
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Shot("failure")
		b.Fatalf("%s: %v", what, err)
	}
}

// Text returns what an element shows.
func (b *Browser) Text(sel CSS) string {
	b.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(sel))
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// Ask evaluates an expression in the page.
func Ask[T any](b *Browser, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// Go opens one of the box's pages.
func (b *Browser) Go(path string) {
	b.Helper()
	b.Do("open "+path, chromedp.Navigate(b.Base+path), chromedp.WaitVisible(CSS("main h1")))
}

// SetUp makes the first user with the set-up code.
func (b *Browser) SetUp(code, name, password string) {
	b.Helper()
	b.Do("set up", chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.Base+"/"), chromedp.WaitVisible(CSS("#code")), chromedp.SendKeys(CSS("#code"), code),
		chromedp.SetValue(CSS("#username"), name), chromedp.SendKeys(CSS("#password"), password), chromedp.SendKeys(CSS("#repeat"), password+"\r"), chromedp.WaitVisible(CSS("#wire")))
}

// SignIn begins a session of a user.
func (b *Browser) SignIn(name, password string) {
	b.Helper()
	b.Do("sign in as "+name, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.Base+"/login"), chromedp.WaitVisible(CSS("#username")),
		chromedp.SetValue(CSS("#username"), name), chromedp.SendKeys(CSS("#password"), password+"\r"), chromedp.WaitVisible(CSS(".top nav")))
}

// SignOut ends it.
func (b *Browser) SignOut() {
	b.Helper()
	b.Do("sign out", chromedp.Click(CSS(".top form button")), chromedp.WaitVisible(CSS("#username")))
}

// Shot leaves a picture of the whole page in the folder that
// WIREPATCH_SCREENSHOTS names, if it does.
func (b *Browser) Shot(name string) {
	b.Helper()
	dir := os.Getenv("WIREPATCH_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
	}
	if err != nil {
		b.Log(err)
	}
}
