package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wirepatch/mgmt/browser"
	"wirepatch/mgmt/web"
)

type css = browser.CSS

// openBrowser opens the shared appliance's page.
func openBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.Open(t, appliance.Management, appliance.Manage(t.Context()).Fingerprint)
}

// form sends a form of a page, with the token that the page came with, and
// returns where that leads.
func (m *management) form(page, path string, kv ...string) string {
	m.Helper()
	text, err := get(m.Client, m.base+page)
	if err != nil {
		m.Fatalf("GET %s: %v", page, err)
	}
	token := formToken.FindStringSubmatch(text)
	if token == nil {
		m.Fatalf("no form on %s:\n%s", page, text)
	}
	v := url.Values{"token": {token[1]}}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	req, err := http.NewRequest("POST", m.base+path, strings.NewReader(v.Encode()))
	if err != nil {
		m.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", m.base)
	resp, err := m.Do(req)
	if err != nil {
		m.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		m.Fatalf("POST %s: %s\n%s", path, resp.Status, body)
	}
	return resp.Request.URL.Path
}

// redirected asks the portal through the appliance for what it answers wrongly,
// and returns where it leads.
func redirected(t *testing.T) string { t.Helper(); return redirectedBy(t, appliance.Through) }

func redirectedBy(t *testing.T, through string) string {
	t.Helper()
	c := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequest("GET", "http://"+through+"/docs", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-Prefix", "https://evil.example")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// What the portal leads to, uncorrected and corrected.
const (
	toEvil    = "https:/evil.example/"
	corrected = "https/evilexample/"
)

// TestChangeApprovedInTheBrowser: one person proposes, another approves in the
// browser, and the next request is corrected; undone, it is not.
func TestChangeApprovedInTheBrowser(t *testing.T) {
	m := manage(t)
	set := func(mode string) (number string) {
		m.form("/patches/WP-2023-26125", "/draft/mode", "definition", "WP-2023-26125", "service", "portal", "mode", mode)
		path := m.form("/changes", "/changes/submit", "reason", "mode "+mode)
		return strings.TrimPrefix(path, "/changes/")
	}
	leads := func(when, want string) {
		t.Helper()
		if got := redirected(t); !strings.HasPrefix(got, want) {
			t.Errorf("%s the portal leads to %q; want %s…", when, got, want)
		}
	}
	leads("at first", corrected)
	off := set("off")
	leads("with the inline patch off", toEvil)

	const password = "four plain words again"
	m.form("/users", "/users/add", "name", "paula", "role", "approver", "password", "another one's words")
	m.form("/settings", "/settings/approvals", "approvals", "1")
	b := openBrowser(t)
	b.SignIn("paula", "another one's words")
	b.Do("own password", chromedp.WaitVisible(css("#p1")), chromedp.SendKeys(css("#p1"), "another one's words"), chromedp.SendKeys(css("#p2"), password),
		chromedp.SendKeys(css("#p3"), password+"\r"), chromedp.WaitVisible(css("#wire")))

	on := set("correct")
	leads("before the approval", toEvil)
	b.Do("look at the change", chromedp.Navigate(b.Base+"/changes/"+on), chromedp.WaitVisible(css("#approve")))
	b.Shot("approve")
	b.Do("approve", chromedp.Click(css("#approve")), chromedp.WaitVisible(css("#verified")))
	b.Shot("approved")
	leads("approved,", corrected)

	b.SignOut()
	b.SignIn("admin", "four plain words here")
	b.Do("undo", chromedp.Navigate(b.Base+"/changes/"+on), chromedp.Click(css("#undo")), chromedp.WaitNotPresent(css("#undo")))
	leads("undone,", toEvil)

	fewer := m.form("/settings", "/settings/approvals", "approvals", "0") // which as many as before must approve
	b.SignOut()
	b.SignIn("paula", password)
	b.Do("approve that fewer must", chromedp.Navigate(b.Base+fewer), chromedp.Click(css("#approve")), chromedp.WaitVisible(css("#verified")))
	m.form("/changes/"+off, "/changes/undo", "id", off)
	leads("at last", corrected)
}

// TestServiceAddedAndNamed: a service is added and the box named anew on the
// running box, without a restart.
func TestServiceAddedAndNamed(t *testing.T) {
	m := manage(t)
	before := m.status()
	m.form("/settings", "/draft/service/add", "name", "shop", "address", "10.77.0.99", "port", "8080", "protocol", "http", "fail", "closed", "exceed", "reset")
	m.form("/settings", "/draft/appliance", "hostname", "renamed", "link_propagation", "yes")
	path := m.form("/changes", "/changes/submit", "reason", "a new shop")
	var after web.Status
	for end := time.Now().Add(terminalTime); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if after = m.status(); len(after.Dataplane.Status.Services) > len(before.Dataplane.Status.Services) && after.Box.Hostname == "renamed" {
			break
		}
	}
	services := after.Dataplane.Status.Services
	if got := services[len(services)-1]; got.Name != "shop" || got.InForce != "closed" || after.Box.Hostname != "renamed" {
		t.Errorf("the last service is %+v, the box is %q; want the shop, fail-closed in force, renamed", got, after.Box.Hostname)
	}
	if after.Dataplane.Status.Instance != before.Dataplane.Status.Instance {
		t.Error("the dataplane was started anew for it")
	}
	m.form(path, "/changes/undo", "id", strings.TrimPrefix(path, "/changes/"))
	if got := m.status(); fmt.Sprint(len(got.Dataplane.Status.Services)) == "0" {
		t.Error("undone, no service is protected")
	}
}
