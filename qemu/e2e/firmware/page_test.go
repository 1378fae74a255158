package firmware

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/mgmt/browser"
)

// address keeps the machine's page at one address, over restarts.
func (m *machine) address() string {
	m.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.Fatal(err)
	}
	defer l.Close()
	m.config.Management = l.Addr().String()
	return m.config.Management
}

// untilServed waits until the machine's page answers.
func (m *machine) untilServed() {
	m.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(m.Context(), 5*time.Second)
		c, err := d.DialContext(ctx, "tcp", m.config.Management)
		cancel()
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			m.Fatalf("the page is not served: %v", err)
		}
	}
}

// TestUpdateOnThePage: an update file is uploaded in Chromium, refused when it is
// not signed or its definitions are of no use, left again when its firmware is not in
// health, put in when all is good; then the page starts the older slot again, and
// the box keeps to that. A webhook is told of each failure, also of the one that came
// while it was away.
func TestUpdateOnThePage(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	over := a.trusting("")
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: over}.build(t)})
	address := m.address()
	m.on()
	sum := m.wait(`management https://\S+\s+certificate SHA-256 ([0-9a-f]{64})`)[1]
	m.at = 0
	code := m.wait(`setup_code=(\S+)\s`)[1] // whole, however the console brings it
	m.at = 0
	m.wait(`updated: ready`)
	const password = "four plain words here"
	b := browser.Open(t, address, sum)
	b.SetUp(code, "admin", password)
	upload := func(content []byte, restart bool) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "site.update")
		a.must(os.WriteFile(file, content, 0o644))
		b.Go("/updates")
		steps := []browser.Step{chromedp.SetUploadFiles(browser.CSS("#file"), []string{file})}
		if restart {
			steps = append(steps, chromedp.Click(browser.CSS("#upload input[type=checkbox]")))
		}
		b.Do("upload", append(steps, chromedp.Click(browser.CSS("#upload button")))...)
	}
	text := func() string { return b.Text("#main") }
	until := func(want string) {
		t.Helper()
		for end := time.Now().Add(patience); !strings.Contains(text(), want); time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				b.Shot("failure")
				t.Fatalf("the page never says %q:\n%s", want, text())
			}
		}
	}

	t.Log("what is no update, and what another has signed, is refused")
	nonsense := make([]byte, 3<<20)
	rand.Read(nonsense)
	upload(nonsense, true)
	until("Not done")
	hook := newReceiver(t)
	b.Go("/outputs")
	b.Do("name a webhook", chromedp.SetValue(browser.CSS("[name=name]"), "desk"), chromedp.SetValue(browser.CSS("select[name=kind]"), "webhook"), chromedp.SetValue(browser.CSS("[name=target]"), hook.url()),
		chromedp.SetValue(browser.CSS("[name=secret]"), hook.secret), chromedp.SetValue(browser.CSS("[name=ca]"), hook.ca), chromedp.Click(browser.CSS(`form[action="/outputs/add"] button`)))
	b.Reads("takes them")
	hook.away()
	foreign := newAuthor(t)
	foreign.offer(variant{version: "0.3.0"})
	var bundle bytes.Buffer
	a.must(foreign.Bundle(&bundle))
	upload(bundle.Bytes(), true)
	until("not signed by keys that this box trusts")
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		b.Go("/outputs")
		if said := text(); strings.Contains(said, "away") && strings.Contains(said, "connection refused") {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the webhook is away; the page says\n%s", said)
		}
	}
	hook.back()
	hook.wants("update.refused", "failed", "bad-signature")

	t.Log("and what is for another board")
	a.offer(variant{version: "0.2.5", board: "generic-x86_64"})
	bundle.Reset()
	a.must(a.Bundle(&bundle))
	upload(bundle.Bytes(), true)
	until("update is for board generic-x86_64; this box is a qemu")

	t.Log("definitions of which none is of use are taken back")
	broken := smallPack(t)
	broken.Revision, broken.Files = 6, map[string][]byte{"WP-2000-1/patch.yaml": []byte("id: WP-2000-1\n")}
	a.must(a.offerPack(broken))
	bundle.Reset()
	a.must(a.Bundle(&bundle))
	upload(bundle.Bytes(), true)
	until("efinitions 6: the dataplane can use none of them")
	hook.wants("update.refused", "failed", "definitions 6")
	a.must(a.offerPack(smallPack(t)))

	t.Log("firmware that is not in health is left again")
	a.offer(variant{version: "0.1.5", over: append(a.trustingWith(short), cpio.StaticFile("bin/dataplane", "no program", 0o755))})
	bundle.Reset()
	a.must(a.Bundle(&bundle))
	upload(bundle.Bytes(), true)
	m.wait(`firmware 0.1.5 is installed; restarting into it`)
	m.wait(`0.1.5 is given up: the dataplane does not answer`)
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.wait(`updated: ready`)
	m.untilServed()
	hook.wants("firmware.given-up", "failed", "firmware 0.1.5")
	b.SignIn("admin", password)

	t.Log("a good one is put in, tried and confirmed")
	a.offer(variant{version: "0.2.0", over: over})
	bundle.Reset()
	a.must(a.Bundle(&bundle))
	upload(bundle.Bytes(), true)
	m.wait(`firmware 0.2.0 is installed; restarting into it`)
	m.wait(`slot 0.2.0 runs, on trial`)
	m.wait(`firmware: 0.2.0 is confirmed`)
	m.untilServed()
	b.SignIn("admin", password)
	b.Go("/updates")
	until("0.2.0 runs")
	b.Shot("updates-in-two-slots")
	for _, want := range []string{"firmware 0.2.0", "bad-signature", "damaged", "0.1.0\tconfirmed"} {
		if !strings.Contains(text(), want) {
			t.Errorf("the page lacks %q:\n%s", want, text())
		}
	}

	t.Log("and the older one is started again")
	b.Do("start 0.1.0", chromedp.Click(browser.CSS(`form[action="/updates/slot"] input[type=checkbox]`)), chromedp.Click(browser.CSS(`form[action="/updates/slot"] button`)))
	m.wait(`firmware 0.1.0 chosen by admin on the page`)
	m.wait(`0.2.0 was set aside by hand`)
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.waitAll(`forwarding, `, `updated: ready`)

	t.Log("that holds, also when firmware is put in by itself, until there is a newer one")
	m.shell()
	m.run("settings show > /tmp/s; printf '[firmware]\\nrepository = " + a.url + "\\ninstall = now\\n' >> /tmp/s; settings put /tmp/s")
	m.wait(`updated: ready`)
	m.typed("updated check")
	m.wait(`update refused: firmware 0.2.0 was left by hand for the one that runs`)
	a.offer(variant{version: "0.3.0", over: over})
	m.typed("updated check")
	m.wait(`firmware 0.3.0 is installed; restarting into it`)
	m.wait(`slot 0.3.0 runs, on trial`)
	m.wait(`firmware: 0.3.0 is confirmed`)
	m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.3.0.efi")
}
