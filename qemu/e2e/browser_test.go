package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browserTime bounds one walk through the pages of an emulated machine.
const browserTime = 6 * time.Minute

// browser is Chromium with one tab, at the appliance's page.
type browser struct {
	*testing.T
	ctx  context.Context
	base string
}

type (
	step = chromedp.Action[chromedp.Void]
	css  = chromedp.CSS
)

// openBrowser starts Chromium, which trusts the certificate that the serial
// console names, by its key.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	box := appliance.Manage(t.Context())
	conn, err := tls.Dial("tcp", appliance.Management, pinned(box.Fingerprint))
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
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return &browser{t, ctx, "https://" + appliance.Management}
}

// do takes steps; what names them in a failure.
func (b *browser) do(what string, steps ...step) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.shot("failure")
		b.Fatalf("%s: %v", what, err)
	}
}

// signIn begins a session of a user.
func (b *browser) signIn(name, password string) {
	b.Helper()
	b.do("sign in as "+name, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.base+"/login"), chromedp.WaitVisible(css("#username")),
		chromedp.SetValue(css("#username"), name), chromedp.SendKeys(css("#password"), password+"\r"), chromedp.WaitVisible(css(".top nav")))
}

func (b *browser) signOut() {
	b.Helper()
	b.do("sign out", chromedp.Click(css(".top form button")), chromedp.WaitVisible(css("#username")))
}

// shot leaves a picture of the whole page, when asked to.
func (b *browser) shot(name string) {
	b.Helper()
	dir := os.Getenv("WIREPATCH_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.Log(err)
	}
}
