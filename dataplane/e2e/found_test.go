package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

// Real servers, protected and not, are found by what they say to real clients.
func TestServersAreFound(t *testing.T) { eachWay(t, testServersAreFound) }

func testServersAreFound(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	startFTP(t, b.Server)
	startSMTP(t, b.Server)
	startDNS(t, b.Server)
	if got, err := b.control.Found(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("before anybody spoke: %+v, %v", got, err)
	}
	curl(t, b.Client, "http://"+netns.Server4+"/plain")
	curl(t, b.Client, "http://"+netns.Server4+":8080/plain")
	curl(t, b.Client, "http://["+netns.Server6+"]:8080/plain")
	curl(t, b.Client, "ftp://"+netns.Server4+"/")
	curl(t, b.Client, "smtp://"+netns.Server4+"/client.test", "-X", "NOOP")
	dig(t, b.Client, "@"+netns.Server4, "plain.example")

	nginx, vsftpd, exim := version(t, "nginx", "-v"), version(t, "sh", "-c", "vsftpd -v 0>&1"), version(t, "/usr/sbin/exim4", "--version")
	want := []string{
		fmt.Sprintf("10.77.0.2:21 ftp vsFTPd %s", vsftpd), fmt.Sprintf("10.77.0.2:25 smtp Exim %s", exim), "10.77.0.2:53/udp dns",
		fmt.Sprintf("10.77.0.2:80 http nginx %s", nginx), fmt.Sprintf("10.77.0.2:8080 http nginx %s", nginx), fmt.Sprintf("[fd77::2]:8080 http nginx %s", nginx),
	}
	var got []string
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		all, err := b.control.Found(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = got[:0]
		for _, f := range all {
			got = append(got, describe(f))
		}
		if !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) }) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("found %q; want %q", got, want)
		}
	}
	for _, line := range got { // what an FTP server opens for one transfer is a service, too
		if !slices.Contains(want, line) && !strings.HasPrefix(line, "10.77.0.2:") {
			t.Errorf("found %s; nobody is there", line)
		}
	}
}

func describe(f control.Found) string {
	at := fmt.Sprintf("%s:%d", f.Address, f.Port)
	if f.Address.Is6() {
		at = fmt.Sprintf("[%s]:%d", f.Address, f.Port)
	}
	if f.UDP {
		at += "/udp"
	}
	text := at + " " + f.Protocol
	for _, s := range f.Software {
		text += " " + s.Name + " " + s.Version
	}
	return strings.TrimSpace(text)
}

// version asks a program on this machine for its version.
func version(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, _ := output(t, netns.New(t), name, args...)
	for _, w := range strings.FieldsFunc(out, func(r rune) bool { return strings.ContainsRune(" /\n", r) }) {
		if w[0] >= '0' && w[0] <= '9' && strings.Contains(w, ".") {
			return w
		}
	}
	t.Fatalf("%s tells no version: %s", name, out)
	return ""
}
