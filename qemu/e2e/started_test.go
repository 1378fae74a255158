package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wirepatch/mgmt/browser"
	"wirepatch/qemu/bed"
)

// guide is docs/getting-started.md, whose steps are taken one after the other.
type guide struct {
	*terminal
	web   *browser.Browser
	steps map[int]string
	began time.Time
}

var numbered = regexp.MustCompile(`(?m)^([0-9]+)\. `)

// readGuide cuts the document into its numbered steps.
func readGuide(t *testing.T) map[int]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "getting-started.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := map[int]string{}
	at := numbered.FindAllStringSubmatchIndex(string(text), -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		n, _ := strconv.Atoi(string(text[m[2]:m[3]]))
		steps[n] = strings.Join(strings.Fields(string(text[m[1]:end])), " ")
	}
	return steps
}

// step begins a step. words are what the document has the reader look for, press
// or type in it: what follows goes by these and by nothing else.
func (g *guide) step(n int, words ...string) {
	g.Helper()
	g.Logf("%6.1f s  step %d", time.Since(g.began).Seconds(), n)
	for _, w := range words {
		if !strings.Contains(g.steps[n], w) {
			g.Errorf("step %d of docs/getting-started.md does not say %q:\n%s", n, w, g.steps[n])
		}
	}
}

// press clicks the link or button that begins with these words, as soon as it is
// there to be seen.
func (g *guide) press(words string) { g.Helper(); g.click("a, button", "startsWith", words) }

// page chooses one of the pages by its name.
func (g *guide) page(name string) {
	g.Helper()
	g.click("header nav a", "endsWith", name)
	g.web.Until("the page "+name, fmt.Sprintf(`document.readyState === "complete" && document.querySelector("h1")?.innerText.trim() === %q`, name))
}

func (g *guide) click(selector, how, words string) {
	g.Helper()
	g.web.Until("press "+words, fmt.Sprintf(`(() => {
	const e = [...document.querySelectorAll(%q)].find(e => e.innerText.trim().%s(%q) && e.offsetParent !== null);
	if (document.readyState !== "complete" || !e) return false;
	e.click();
	return true;
})()`, selector, how, words))
}

// field is the input, or selection, that a label names, in the form whose button
// has these words on it.
func field(button, label string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//form[.//button[normalize-space(.)=%q]]//label[starts-with(normalize-space(.), %q)]//*[self::input or self::select]`, button, label))
}

// apply applies what is pending, as the fifth step says.
func (g *guide) apply(why string) {
	g.Helper()
	g.press("Apply")
	g.web.Do("say why", chromedp.WaitVisible(chromedp.CSS("#reason")), chromedp.SendKeys(chromedp.CSS("#reason"), why),
		chromedp.Click(chromedp.Search(`//main//button[normalize-space(.)="Apply"]`)), chromedp.WaitVisible(chromedp.CSS("#verified")))
	g.web.Reads("verified: the wire has the services and modes of the plan")
}

// TestGettingStarted walks through docs/getting-started.md on a new box, by what
// that document says and what box and page show, and logs when each step began.
func TestGettingStarted(t *testing.T) {
	new, err := os.ReadFile(filepath.Join("..", "..", "images", "appliance.ini"))
	if err != nil {
		t.Fatal(err)
	}
	g := &guide{terminal: &terminal{T: t}, steps: readGuide(t), began: time.Now()}
	g.step(1, "Power on", "`wirepatch: forwarding, …`", "`wirepatch: inspecting, …`")
	if g.bed, err = startAs(t.Context(), bed.Config{Settings: string(new), DiskMB: 256}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.bed.Close() })
	g.wait(`wirepatch: forwarding, `)
	g.at = 0
	g.wait(`wirepatch: inspecting, `)
	through(t, g.bed, toEvil) // a client at work

	const password = "four plain words here"
	g.step(2, "Type `11`", "host name, address (DHCP, or by hand), the clock, time servers, update repository", "your name and password", "`yes`", "the console says where the page is")
	g.at = 0
	g.talk(`19 Secure Boot\r?\n> `, "11", `Host name \[`, "rack7", `by DHCP  2 by hand`, "", `The clock says`, "", `Time servers`, "", `Update repository`, "",
		`pass uninspected  2 stop`, "", `first administrator \[admin\]`, "anna", `Type yes`, "yes", `Password`, password, `The same again`, password)
	said := g.wait(`The page is at (https://\S+); its certificate:(?s:.*?)certificate  SHA-256  ((?:[0-9A-F]{2}:){15}[0-9A-F]{2})(?s:.*?)\s((?:[0-9A-F]{2}:){15}[0-9A-F]{2})\s`)
	fingerprint := strings.ToLower(strings.ReplaceAll(said[2]+said[3], ":", ""))

	g.step(3, "compare its SHA-256 with the console's", "sign in", "*First steps* say what is next")
	g.web = browser.Open(t, g.bed.Management, fingerprint)
	g.web.SignIn("anna", password)
	g.web.Reads("Name a server to protect")

	g.step(4, "page *Servers* under *Found on the wire*: open it and press *Protect port …*", "A bar on top says that something is pending")
	g.untilFound()
	g.press("10.77.0.2")
	g.web.Reads("Seen on the wire")
	g.press("Protect port 80")
	g.web.Do("something is pending", chromedp.WaitVisible(chromedp.CSS("#pending")))

	g.step(5, "The bar's *Apply* leads to *Changes*: look at the lines, say why, *Apply*", "*verified: the wire has the services and modes of the plan*")
	g.apply("the portal is not patched yet")
	through(t, g.bed, corrected)
	g.Logf("%6.1f s  protected: the first request is corrected", time.Since(g.began).Seconds())
	g.page("Overview")
	g.web.Reads("10.77.0.2")

	g.step(6, "*Servers*", "add it with its product", "*Vulnerabilities* then shows what it is open to and which inline patches stand in")
	g.page("Servers")
	g.web.Do("add it", chromedp.SendKeys(field("Add", "Address"), "10.77.0.2"), chromedp.SendKeys(field("Add", "Product"), "gin"),
		chromedp.SendKeys(field("Add", "Version"), "1.8.2"), chromedp.Click(chromedp.CSS("#add-server button")))
	g.web.Reads("1 known")
	g.page("Vulnerabilities")
	g.untilShown("CVE-2023-26125", "WP-2023-26125 is correct in service")

	g.step(7, "on *Inline patches* choose a definition, set it to *shadow* in your service and apply that", "Set it to *correct*")
	for _, mode := range []string{"shadow", "correct"} {
		g.page("Inline patches")
		g.press("WP-2023-26125")
		g.web.Do("set it to "+mode, chromedp.WaitVisible(field("Set", "Mode in")), chromedp.SetValue(field("Set", "Mode in"), mode), chromedp.Click(chromedp.Search(`//form[.//label[starts-with(normalize-space(.), "Mode in")]]//button`)),
			chromedp.WaitVisible(chromedp.CSS("#pending")))
		g.apply(mode)
		through(t, g.bed, map[string]string{"shadow": toEvil, "correct": corrected}[mode])
	}

	g.step(8, "on the overview and on *Corrections*, with the bytes before and after")
	g.page("Overview")
	g.web.Reads("https://evil.example")
	g.page("Corrections")
	g.untilShown("WP-2023-26125", "https/evilexample")
	g.Logf("%6.1f s  all steps are taken", time.Since(g.began).Seconds())
	if said := g.web.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// untilFound looks at the page Servers, now and then with a client at work, until
// the portal is there.
func (g *guide) untilFound() {
	g.Helper()
	for end := time.Now().Add(terminalTime); ; time.Sleep(time.Second) {
		g.page("Servers")
		if strings.Contains(g.web.Text("#main"), "10.77.0.2") {
			return
		}
		if time.Now().After(end) {
			g.Fatalf("the page Servers never shows the portal:\n%s", g.web.Text("#main"))
		}
		through(g.T, g.bed, toEvil)
	}
}

// untilShown loads the page anew until it says all of it.
func (g *guide) untilShown(want ...string) {
	g.Helper()
	for end := time.Now().Add(terminalTime); ; time.Sleep(time.Second) {
		text, missing := g.web.Text("#main"), ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			g.Fatalf("the page never says %q:\n%s", missing, text)
		}
		g.web.Do("load it anew", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("main h1")))
	}
}
