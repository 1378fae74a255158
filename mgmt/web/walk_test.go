package web

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/browser"
	"wirepatch/mgmt/wire"
)

type css = chromedp.CSS

// TestBrowser walks through set-up, overview and sign-out in Chromium. With
// WIREPATCH_SCREENSHOTS set to a folder it leaves pictures there.
func TestBrowser(t *testing.T) {
	l := newLab(t)
	base := l.serveTLS()
	l.hostileEvents()
	l.traffic()
	b := l.browser(base)

	b.Do("open", chromedp.EmulateViewport(1200, 900), chromedp.Navigate(base+"/"), chromedp.WaitVisible(css("#code")))
	if got := browser.Run(b.Browser, chromedp.Location()); got != base+"/setup" {
		t.Errorf("without a password / leads to %s; want /setup", got)
	}
	b.Shot("setup")
	b.Do("set up",
		chromedp.SendKeys(css("#code"), strings.ToLower(l.site.Users.SetupCode())),
		chromedp.SendKeys(css("#password"), testPassword), chromedp.SendKeys(css("#repeat"), testPassword+"\r"),
		chromedp.WaitVisible(css("#wire")))
	b.looks()
	b.escapes()

	// The page refreshes itself: the engine dies, and the page says so.
	l.must(l.server.Close())
	l.poller.Poll(t.Context())
	b.Do("engine away", chromedp.WaitVisible(css(".engine.dead")), chromedp.WaitVisible(css("#alerts .bad")))
	b.Shot("away")
	l.startDataplane("two")
	l.poller.Poll(t.Context())
	b.Do("engine back", chromedp.WaitNotPresent(css(".engine.dead")))

	b.keepsPlace()
	b.charts(base)
	b.follows(base)

	if got := b.Complaints(); len(got) > 0 {
		t.Errorf("the browser complains: %q; want nothing", got)
	}
	b.signOutAndIn()
}

func (b looker) looks() {
	b.Helper()
	b.Shot("light")
	b.Dark(true)
	b.Shot("dark")
	b.Do("narrow", chromedp.EmulateViewport(390, 844))
	b.Shot("narrow-dark")
	b.Dark(false)
	b.Shot("narrow")
	b.Fits(390)
	b.Fits(320)
	b.Do("wide", chromedp.EmulateViewport(1200, 900))
}

// escapes says whether hostile bytes became anything but text.
func (b looker) escapes() {
	b.Helper()
	made := `document.querySelectorAll("#live script, #live img, #live iframe, #live [onerror]").length`
	if n := browser.Ask[int](b.Browser, made); n != 0 {
		b.Errorf("%d elements made of hostile bytes", n)
	}
	if text := b.Text(css("#corrections")); !strings.Contains(text, "<script>alert(1)</script>") {
		b.Errorf("hostile bytes are not shown as text in %q", text)
	}
}

// keepsPlace opens the list of ports by keyboard and checks that it stays open,
// with the keyboard on it, while its figures change.
func (b looker) keepsPlace() {
	b.Helper()
	b.Do("open the ports", chromedp.Focus(css("#ports summary")), chromedp.KeyEvent("\r"), chromedp.WaitVisible(css("#ports table")))
	b.set(func() { b.status.Ports[0].Dropped = 4711 })
	b.poller.Poll(b.Context())
	changed := `document.querySelector("#ports")?.innerText.includes("4\u202f711")`
	b.Until("wait for the figure", changed)
	if !browser.Ask[bool](b.Browser, `document.querySelector("#ports").open && document.activeElement === document.querySelector("#ports summary")`) {
		b.Error("the list of ports is shut, or has lost the keyboard, after a refresh")
	}
}

// follows has the page of corrections follow: what comes stands there without a
// reload, filtered as the page is.
func (b looker) follows(base string) {
	b.Helper()
	b.Do("follow", chromedp.Navigate(base+"/corrections?definition=WP-2023-26125"), chromedp.Click(css("p.links a")), chromedp.WaitVisible(css("#found[hx-get]")))
	browser.Ask[bool](b.Browser, "window.same = true")
	for _, id := range []string{"WP-2025-24358", "WP-2023-26125"} {
		b.log.Add(control.Event{Time: b.now(), Kind: "correction", Service: "portal", Client: "10.77.0.1:50399", Server: "10.77.0.2:80",
			Evidence: &session.Evidence{Definition: id, Revision: 1, Mode: "correct", Action: "remove", Element: "request.header", Before: []byte("X-Forwarded-Prefix: //just-now.example/" + id)}})
	}
	b.poller.Poll(b.Context())
	b.Until("it comes", `document.querySelector("#found").innerText.includes("just-now.example/WP-2023-26125")`)
	if !browser.Ask[bool](b.Browser, `window.same === true && !document.querySelector("#found").innerText.includes("WP-2025-24358")`) {
		b.Error("the page was loaded anew, or what the filter leaves out came with it")
	}
	b.Do("back", chromedp.Navigate(base+"/"), chromedp.WaitVisible(css("#wire")))
}

func (b looker) signOutAndIn() {
	b.Helper()
	b.Do("sign out", chromedp.Click(css(".top form button")), chromedp.WaitVisible(css("main.narrow #password")))
	b.Shot("login")
	b.Do("wrong password", chromedp.SendKeys(css("#password"), "not the password\r"), chromedp.WaitVisible(css("#problem")))
	b.Shot("refused")
	b.Do("sign in", chromedp.SendKeys(css("#password"), testPassword+"\r"), chromedp.WaitVisible(css("#wire")))
}

// traffic lets the counters grow, so that there are rates to show.
func (l *lab) traffic() {
	for i := range 60 {
		l.mu.Lock()
		l.status.Ports[0].RxBytes += uint64(1_500_000 + 400_000*(i%7))
		l.status.Ports[1].RxBytes += uint64(9_000_000 + 2_000_000*(i*i%11))
		l.mu.Unlock()
		l.advance(wire.Interval)
		l.poller.Poll(l.Context())
	}
}

// hostileEvents are corrections as an attacker would like to have them shown.
func (l *lab) hostileEvents() {
	corrected := func(def, action, element, mode, before, after, note string) {
		l.log.Add(control.Event{Time: l.now(), Kind: "correction", Text: def + " " + action, Service: "portal", Client: "10.77.0.1:50314", Server: "10.77.0.2:80",
			Evidence: &session.Evidence{Definition: def, Revision: 1, Mode: mode, Action: action, Element: element, Before: []byte(before), After: []byte(after), Note: note}})
	}
	l.log.Add(control.Event{Time: l.now(), Kind: "start", Text: "dataplane 0.1.0 on wan0 and lan0, 3 definitions"})
	corrected("WP-2023-26125", "remove", "request.header", "correct", "X-Forwarded-Prefix: //evil.example/\r\n", "", "")
	corrected("WP-2023-29401", "set", "response.header", "correct",
		"Content-Disposition: attachment; filename=\"x.sh\";dummy=.txt\"\r\n", "Content-Disposition: attachment; filename=\"x.sh\\\";dummy=.txt\"\r\n", "quotes escaped as the fixed version does")
	corrected("WP-2025-24358", "reject", "request.line", "correct", "POST /publish HTTP/1.1\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 31\r\n\r\nForbidden - referer is invalid\n\n", "")
	corrected("WP-2023-29401", "set", "response.header", "shadow", "X: \x00\x1b[31m\xff\xfe\u202eexe.txt <script>alert(1)</script><img src=x onerror=alert(1)>\r\n", "X: \r\n", "</pre><script>alert(2)</script>")
	corrected("WP-2023-26125", "remove", "request.header", "correct", "X-Forwarded-Prefix: "+strings.Repeat("A", 600)+"\r\n", "", "")
	l.log.Add(control.Event{Time: l.now(), Kind: "passed", Text: "\x1b[2J<script>alert(3)</script> \u202ereversed", Service: "portal", Client: "10.77.0.1:50316", Server: "10.77.0.2:80"})
	l.log.Add(control.Event{Time: l.now(), Kind: "link", Text: "lan0: link up, 10 Gbit/s"})
	for range 2 {
		l.poller.Poll(l.Context())
	}
}
