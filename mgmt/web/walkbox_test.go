package web

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wirepatch/board/state"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/browser"
)

// TestBrowserBox walks through Updates and System in Chromium: narrow and wide,
// an upload by the page's script, taken and refused, and a rehearsal.
func TestBrowserBox(t *testing.T) {
	l := newLab(t)
	base := l.serveTLS()
	l.setPassword()
	box := testBox()
	box.Slots = []state.Slot{{Version: "0.2.0", State: "confirmed", Running: true}, {Version: "0.1.0", State: "confirmed"}}
	l.writeBox(box)
	l.poller.Poll(t.Context())
	l.box.status.History = []update.Past{{Time: l.now(), What: "firmware 0.2.0"}}
	b := l.browser(base)
	b.Do("sign in", chromedp.Navigate(base+"/login"), chromedp.WaitVisible(css("#password")), chromedp.SendKeys(css("#password"), testPassword+"\r"), chromedp.WaitVisible(css("#wire")))
	for _, page := range []string{"/system", "/updates"} {
		b.Do("open "+page, chromedp.Navigate(base+page), chromedp.WaitVisible(css("main h1")))
		b.Fits(1200)
		b.Shot(strings.TrimPrefix(page, "/"))
		b.Fits(390)
		b.Fits(320)
	}
	file := filepath.Join(t.TempDir(), "site.update")
	l.must(os.WriteFile(file, []byte(strings.Repeat("update ", 1<<19)), 0o644))
	send := func(what string) {
		t.Helper()
		b.Do(what, chromedp.Navigate(base+"/updates"), chromedp.WaitVisible(css("#file")), chromedp.SetUploadFiles(css("#file"), []string{file}))
		browser.Ask[bool](b.Browser, "window.same = true")
		b.Do(what, chromedp.Click(css("#upload button")))
	}
	send("upload")
	// Not sooner than the page is there that it leads to: what is opened before is left for that.
	b.Until("go on", `window.same !== true && document.readyState === "complete" && document.querySelector("#history-h") !== null`)
	if got := l.box.done(); got != "/v1/upload?" {
		t.Errorf("the box was asked for %q; want the upload", got)
	}
	l.box.refuse = &update.Refusal{Code: update.BadSignature, Text: "not signed by keys that this box trusts"}
	send("upload that is refused")
	b.Do("be refused", chromedp.WaitVisible(css("main.narrow")))
	if text := b.Text(css("#main")); !strings.Contains(text, "ot signed by keys that this box trusts") {
		t.Errorf("refused, the page says %q", text)
	}
	l.box.refuse = nil
	b.Do("rehearse", chromedp.Navigate(base+"/system"), chromedp.WaitVisible(css("#rehearse")), chromedp.Click(css("#rehearse-h + p + form input[type=checkbox]")), chromedp.Click(css("#rehearse")), chromedp.WaitVisible(css(".once")))
	refused := func(c string) bool {
		return strings.Contains(c, "status of 422") && strings.HasSuffix(c, "/updates/upload")
	}
	if got := slices.DeleteFunc(b.Complaints(), refused); len(got) > 0 { // of a refused upload it may complain twice
		t.Errorf("the browser complains: %q", got)
	}
}
