package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/web"
	"wirepatch/qemu/bed"
)

// terminal types at the appliance's serial line and reads what it says.
type terminal struct {
	*testing.T
	bed *bed.Bed
	at  int64
}

// terminalTime bounds one wait at an emulated machine's console.
const terminalTime = 8 * time.Minute

// wait waits for what the pattern matches. Lines of the log may stand between
// the menu's.
func (c *terminal) wait(pattern string) []string {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), terminalTime)
	defer cancel()
	groups, at, err := c.bed.VM.Serial.WaitFrom(ctx, c.at, regexp.MustCompile(pattern))
	if err != nil {
		c.Fatalf("%v\nthe console's last lines:\n%s", err, c.bed.VM.Serial.Tail(40))
	}
	c.at = at
	return groups
}

// talk waits for the first and types the second, and so on.
func (c *terminal) talk(pairs ...string) {
	c.Helper()
	for i, p := range pairs {
		if i%2 == 0 {
			c.wait(p)
		} else if err := c.bed.VM.Serial.Type(p + "\n"); err != nil {
			c.Fatal(err)
		}
	}
}

// choose types a number at the menu.
func (c *terminal) choose(number int, pairs ...string) {
	c.Helper()
	if err := c.bed.VM.Serial.Type(fmt.Sprintf("%d\n", number)); err != nil {
		c.Fatal(err)
	}
	last := len(pairs) - 1
	pairs[last] += "(?s:.*)0 log out\r?\n> "
	c.talk(pairs...)
}

// TestSerialConsole: a new box is set up on its serial line, which from then on
// asks for a name; the page knows the same user. The wire is bypassed from there,
// rehearsed, and a lost password set with a hand at the power button.
func TestSerialConsole(t *testing.T) {
	b, err := start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c := &terminal{T: t, bed: b}
	const password = "four plain words here"
	began := time.Now()
	c.talk(`No password is set(?s:.*)19 Secure Boot\r?\n> `, "11", `Host name \[`, "rack7", `by DHCP  2 by hand`, "1", `The clock says`, "", `NTP`, "10.0.2.2",
		`Update repository`, "", `pass uninspected  2 stop`, "1", `first administrator \[admin\]`, "anna", `Type yes`, "yes", `Password`, password, `The same again`, password,
		`The page is at https://10\.0\.2\.15(?s:.*)0 log out\r?\n> `)
	t.Logf("set up in %v", time.Since(began).Round(time.Second))
	c.at = 0
	c.wait(`clock: no time server answers, of \["10.0.2.2"\]`) // the settings live
	c.at = b.VM.Serial.Position()
	if said := b.VM.Serial.Tail(2000); strings.Contains(said, password) {
		t.Error("the password stands on the console")
	}
	c.cutOff()
	since := c.at
	c.choose(1, `host name rack7(?s:.*)process      dataplane running`)
	c.choose(2, `wire-a: link up(?s:.*)driver virtio_net(?s:.*)offloads: .*rx-checksum`)
	c.choose(14, `Type yes`, "yes", `stopped +[0-9]+ ms(?s:.*)fail open`)
	c.comesBack(since)
	through(t, b, corrected)
	c.choose(13, `Type yes`, "yes", `in force`)
	through(t, b, toEvil)
	c.choose(13, `Type yes`, "yes", `in force`)
	through(t, b, corrected)
	c.choose(9, `Which port`, "wire-b", `blink wire-b`) // virtio has no light
	c.overSSH()
	if err := b.VM.Serial.Type("0\n"); err != nil {
		t.Fatal(err)
	}
	c.talk(`Signed out(?s:.*)Name \(`, "anna", `Password`, "wrong", `wrong name or password(?s:.*)Name \(`, "anna", `Password`, password, `0 log out\r?\n> `, "0", `Name \(`)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	page := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	signIn := func(password string, want int) {
		t.Helper()
		resp, err := page.Post("https://"+b.Management+"/api/v1/login", "application/json", strings.NewReader(fmt.Sprintf(`{"user":"anna","password":%q}`, password)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("signing in on the page with %q: %s; want %d", password, resp.Status, want)
		}
	}
	signIn(password, http.StatusOK)
	c.fewRights(page)
	c.recover(page, password, signIn)
}

// cutOff gives the management port an address that nobody reaches.
func (c *terminal) cutOff() {
	c.Helper()
	c.untilReachable("before")
	c.choose(12, `number \[1\]: `, "2", `prefix length.*: `, "192.168.99.9/24", `Gateway.*: `, "", `Name servers.*: `, "", `in force`)
	if err := c.reachable(); err == nil {
		c.Error("with an address that nobody reaches the page is reached")
	}
	c.choose(13, `Type yes`, "yes", `waits to be confirmed`)
}

// comesBack waits until that is taken back, since nobody has confirmed it; on a slow
// machine that may have been while the menu did something else.
func (c *terminal) comesBack(since int64) {
	c.Helper()
	read := c.at
	c.at = since
	c.wait(`was not confirmed and is taken back`)
	c.at = max(c.at, read)
	c.untilReachable("taken back")
}

// untilReachable waits until the page answers.
func (c *terminal) untilReachable(when string) {
	c.Helper()
	var err error
	for end := time.Now().Add(terminalTime); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = c.reachable(); err == nil {
			return
		}
	}
	c.Errorf("%s, the page is not reached: %v", when, err)
}

// reachable asks for the page's certificate.
func (c *terminal) reachable() error {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", c.bed.Management)
	if err == nil {
		conn.Close()
	}
	return err
}

// overSSH switches SSH on and opens the menu with Debian's client.
func (c *terminal) overSSH() {
	c.Helper()
	address, err := freeAddress()
	if err == nil {
		err = c.bed.VM.QMP("human-monitor-command", map[string]any{"command-line": "hostfwd_add m tcp:" + address + "-:22"})
	}
	if err != nil {
		c.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	id := filepath.Join(c.TempDir(), "id")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", id).CombinedOutput(); err != nil {
		c.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(id + ".pub")
	if err != nil {
		c.Fatal(err)
	}
	menu := func() (string, error) {
		ctx, cancel := context.WithTimeout(c.Context(), terminalTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, "ssh", "-tt", "-F", "/dev/null", "-i", id, "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "anna@127.0.0.1")
		cmd.Stdin = strings.NewReader("1\n0\n")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := menu(); err == nil {
		c.Errorf("SSH is served before it was switched on:\n%s", out)
	}
	c.choose(15, `number \[1\]: `, "7", `Name: `, "anna", `one line`, strings.TrimSpace(string(public)), `SHA256:(?s:.*)Done`)
	c.choose(16, `SSH is off(?s:.*)number \[1\]: `, "2", `in force`)
	out, err := "", errors.New("not tried")
	for end := time.Now().Add(terminalTime); err != nil && time.Now().Before(end); { // until mgmt has seen the settings
		out, err = menu()
	}
	if err != nil || !strings.Contains(out, "host name rack7") {
		c.Errorf("ssh: %v\n%s", err, out)
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// fewRights looks at the page's process on the box: no rights, no new ones, a
// filter of system calls on every thread, and no writing outside of its folder.
func (c *terminal) fewRights(page *http.Client) {
	c.Helper()
	var s web.Status
	text, err := get(page, "https://"+c.bed.Management+"/api/v1/status")
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil {
		c.Fatal(err)
	}
	pid := 0
	for _, p := range s.Box.Processes {
		if p.Name == "mgmt" {
			pid = p.PID
		}
	}
	c.bed.VM.Serial.Type("5\n")
	c.wait(`# `)
	run := func(command string) string {
		c.Helper()
		c.bed.VM.Serial.Type(command + "; echo status=$?=\n")
		return c.wait(`(?s)(.*)status=([0-9]+)=`)[0]
	}
	said := run(fmt.Sprintf("cat /proc/%d/task/*/status", pid))
	for field, want := range map[string]string{"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "Uid": "900"} {
		found := regexp.MustCompile(field+`:\s+(\w+)`).FindAllStringSubmatch(said, -1)
		if len(found) < 3 {
			c.Errorf("%s is told of %d threads; want several:\n%s", field, len(found), said)
		}
		for _, f := range found {
			if f[1] != want {
				c.Errorf("a thread of the page's process has %s %s; want %s", field, f[1], want)
			}
		}
	}
	// Even root, confined as the page is, writes nowhere else.
	if said := run("confine -user 0 -group 0 -write /data/mgmt -- /bin/touch /run/wirepatch/x"); !strings.Contains(said, "permission denied") {
		c.Errorf("confined, touch outside of the folder says:\n%s", said)
	}
	if said := run("confine -user 900 -group 900 -write /data/mgmt -- /bin/touch /data/mgmt/x"); !strings.Contains(said, "status=0=") {
		c.Errorf("confined, touch in the folder says:\n%s", said)
	}
	c.bed.VM.Serial.Type("exit\n")
	c.wait(`Name \(`)
}

// recover loses the password and presses the power button.
func (c *terminal) recover(page *http.Client, old string, signIn func(string, int)) {
	c.Helper()
	c.bed.VM.Serial.Type("reset\n")
	c.wait(`power button: for a minute it means`)
	if err := c.bed.VM.QMP("system_powerdown", nil); err != nil {
		c.Fatal(err)
	}
	const next = "another long phrase"
	c.talk(`Administrator \[anna\]: `, "", `Password`, next, `The same again`, next, `Sign in`)
	signIn(old, http.StatusUnauthorized)
	signIn(next, http.StatusOK)
	audit := ""
	for end := time.Now().Add(terminalTime); !strings.Contains(audit, "password.recover") && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var err error
		if audit, err = get(page, "https://"+c.bed.Management+"/api/v1/audit"); err != nil {
			c.Fatal(err)
		}
	}
	for _, want := range []string{"set-up", "bypass on", "wire.rehearse", "password.recover", "console ttyS0"} {
		if !strings.Contains(audit, want) {
			c.Errorf("the audit log has no %q:\n%s", want, audit)
		}
	}
}

// through asks the portal through an appliance and fails unless it leads there.
func through(t *testing.T, b *bed.Bed, want string) {
	t.Helper()
	if got := redirectedBy(t, b.Through); !strings.HasPrefix(got, want) {
		t.Errorf("the portal leads to %q; want %s…", got, want)
	}
}
