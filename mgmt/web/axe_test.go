package web

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"wirepatch/mgmt/browser"
)

// TestAccessible has axe look at every page, in light and dark, wide and as on a
// phone, with everything on it that there can be. With WIREPATCH_SCREENSHOTS set
// to a folder it leaves pictures there.
func TestAccessible(t *testing.T) {
	l := newLab(t)
	base := l.serveTLS()
	l.hostileEvents()
	l.traffic()
	b := l.browser(base)
	axe, err := os.ReadFile("testdata/axe.min.js")
	l.must(err)
	b.Do("open", chromedp.EmulateViewport(1200, 900), chromedp.Navigate(base+"/setup"), chromedp.WaitVisible(css("#code")))
	b.accessible(string(axe), "set-up")
	l.setPassword()
	b.Do("open", chromedp.Navigate(base+"/login"), chromedp.WaitVisible(css("#password")))
	b.accessible(string(axe), "sign-in")
	l.fill()
	c, _ := l.session()
	b.Do("be signed in", func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: base, Secure: new(true), HTTPOnly: new(true), Path: "/"})
		return chromedp.Void{}, err
	})
	b.everyPage()
	for _, path := range pages {
		b.Do("open "+path, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(base+path), chromedp.WaitVisible(css("main h1")))
		b.open()
		name := "page" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path)
		b.Shot(name)
		b.accessible(string(axe), path)
		b.Dark(true)
		b.Shot(name + "-dark")
		b.accessible(string(axe), path+", dark")
		b.Dark(false)
		b.Do("narrow", chromedp.EmulateViewport(390, 844))
		b.Shot(name + "-narrow")
		if wide := browser.Ask[string](b.Browser, tooWide); wide != "" {
			b.Errorf("%s does not fit a screen of 390: %s", path, wide)
		}
		b.accessible(string(axe), path+", narrow")
	}
}

// tooWide names what sticks out of a narrow page, "" where nothing does.
const tooWide = `document.documentElement.scrollWidth <= 390 ? "" : [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 391 && !e.closest(".scroll, pre")).map(e => e.tagName + "." + e.className + " " + e.innerText?.slice(0, 40)).slice(0, 5).join("; ") || "something"`

// everyPage says which routes of pages no address of the list leads to.
func (b looker) everyPage() {
	b.Helper()
	for _, r := range b.site.routes() {
		if r.method != "GET" || r.form != page || r.access != signedIn || strings.Contains(r.path, "{form}") {
			continue
		}
		pattern, found := strings.TrimSuffix(r.path, "{$}"), false
		head, _, _ := strings.Cut(pattern, "{")
		for _, p := range pages {
			p, _, _ = strings.Cut(p, "?")
			found = found || p == pattern || head != pattern && strings.HasPrefix(p, head) && p != head
		}
		switch last := r.path[strings.LastIndex(r.path, "/")+1:]; {
		case found, strings.Contains(last, "."), last == "json", last == "pcap", last == "bundle": // files to take away
		default:
			b.Errorf("no page of the list is of the route %s", r.path)
		}
	}
}

// open unfolds what is folded, so that all of it is looked at.
func (b looker) open() {
	b.Helper()
	browser.Ask[int](b.Browser, `document.querySelectorAll("main details").forEach(d => d.open = true) || 0`)
}

// accessible reports what axe finds against WCAG 2.2, A and AA.
func (b looker) accessible(axe, where string) {
	b.Helper()
	const run = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify({passes: r.passes.length,
		violations: r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary).join(" | "))}))`
	text := browser.Run(b.Browser, func(ctx context.Context, t *chromedp.Target) (string, error) {
		if _, err := chromedp.Evaluate[bool](axe+"; true")(ctx, t); err != nil {
			return "", err
		}
		return chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise)(ctx, t)
	})
	var found struct {
		Passes     int
		Violations []string
	}
	b.must(json.Unmarshal([]byte(text), &found))
	if found.Passes < 5 {
		b.Errorf("%s: axe says that %d of its rules were kept; it has not looked", where, found.Passes)
	}
	for _, v := range found.Violations {
		b.Errorf("%s: %s", where, v)
	}
}
