package web

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserTime bounds one walk through the pages; a slow machine needs most of
// it to start the browser.
const browserTime = 3 * time.Minute

// serveTLS serves the lab's site on loopback and polls its dataplane.
func (l *lab) serveTLS() (url string) {
	l.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	srv := l.site.Server()
	go srv.ServeTLS(ln, "", "")
	l.Cleanup(func() { srv.Close() })
	return "https://" + ln.Addr().String()
}

// browser is Chromium with one tab.
type browser struct {
	*lab
	ctx        context.Context
	complaints chan string
}

// browser starts Chromium, which trusts the lab's certificate by its key.
func (l *lab) browser() *browser {
	l.Helper()
	leaf, err := x509.ParseCertificate(l.cert.TLS.Certificate[0])
	l.must(err)
	spki := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])),
		chromedp.UserDataDir(l.TempDir()))
	ctx, cancel := context.WithTimeout(l.Context(), browserTime)
	l.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	l.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	l.Cleanup(cancel)
	b := &browser{l, ctx, make(chan string, 100)}
	l.must(chromedp.Listen(ctx, b.listen))
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	l.must(err)
	return b
}

type step = chromedp.Action[chromedp.Void]

// do takes steps; what names them in a failure.
func (b *browser) do(what string, steps ...step) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.shot("failure")
		b.Fatalf("%s: %v", what, err)
	}
}

// ask runs one step that answers.
func ask[T any](b *browser, a chromedp.Action[T]) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, a)
	b.must(err)
	return v
}

// listen keeps what the browser complains about: content policy, missing
// files, errors of scripts.
func (b *browser) listen(ev any) {
	text := ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		text = e.Entry.Text + " " + e.Entry.URL
	}
	if text == "" {
		return
	}
	select {
	case b.complaints <- text:
	default:
	}
}

func (b *browser) complained() []string {
	var list []string
	for len(b.complaints) > 0 {
		list = append(list, <-b.complaints)
	}
	return list
}

func (b *browser) dark(on bool) {
	b.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.must(err)
}

// shot leaves a picture of the whole page, when asked to.
func (b *browser) shot(name string) {
	b.Helper()
	if dir := os.Getenv("WIREPATCH_SCREENSHOTS"); dir != "" {
		png := ask(b, chromedp.FullScreenshot(100))
		b.must(os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
	}
}

// checkWidth says whether the page, not a list within it, must be scrolled
// sideways.
func (b *browser) checkWidth(width int64) {
	b.Helper()
	b.do("resize", chromedp.EmulateViewport(width, 800))
	if got := ask(b, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); got > width {
		b.Errorf("the page is %d pixels wide on a screen of %d", got, width)
	}
}
