package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// withProtocol makes a box that also protects a service of the server, with the
// definitions of testdata/protocols but those that are to be off.
func withProtocol(t *testing.T, protocol string, port int, off ...string) *box {
	t.Helper()
	b := newBox(t)
	if err := os.CopyFS(b.definitions, os.DirFS("testdata/protocols")); err != nil {
		t.Fatal(err)
	}
	text := settingsText + fmt.Sprintf("[service %s]\naddress = %s\nport = %d\nprotocol = %s\n", protocol, netns.Server4, port, protocol)
	for _, id := range off {
		text += "[patch " + id + "]\nmode = off\n"
	}
	b.write(t, text)
	if err := b.control.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.sound(t)
	return b
}

// sound checks that no definition is set aside.
func (b *box) sound(t *testing.T) {
	t.Helper()
	for _, d := range b.status(t).Definitions {
		if d.Error != "" {
			t.Fatalf("definition %s is set aside: %s", d.ID, d.Error)
		}
	}
}

// exact has both ends send as they would on a wire, so that frames can be
// compared bit by bit, and watches both.
func exact(t *testing.T, b *box) (compare func(port uint16)) {
	t.Helper()
	off := func(name string) error { return netns.Features(name, false, netns.Offloads...) }
	b.Ends(t, off)
	b.Ports(t, off)
	client, server := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
	return func(port uint16) {
		t.Helper()
		identical(t, client, server, onPort(port))
		if st := b.status(t); st.Sessions.Edited != 0 || st.Sessions.Reset != 0 || st.Sessions.Passed != 0 {
			t.Errorf("sessions = %+v; want none edited, reset or passed", st.Sessions)
		}
	}
}

// serve starts a server in its namespace and waits until it takes connections.
func serve(t *testing.T, n *netns.NS, port int, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	if err := n.Start(c); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	t.Cleanup(func() {
		c.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("%s: %s", name, log.String())
		}
	})
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); ; {
		probe := exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", netns.Server4, port))
		err := n.Start(probe)
		if err == nil {
			err = probe.Wait()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s takes no connections: %v\n%s", name, err, log.String())
		}
		select {
		case err := <-done:
			done <- err
			t.Fatalf("%s ended: %v\n%s", name, err, log.String())
		case <-again.C:
		}
	}
}

// output runs a program in a namespace and returns all that it printed, and
// whether it succeeded.
func output(t *testing.T, n *netns.NS, name string, args ...string) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &out
	c.Env = append(os.Environ(), "HOME=/nonexistent", "LC_ALL=C")
	err := n.Start(c)
	if err == nil {
		err = c.Wait()
	}
	return out.String(), err == nil
}

// startFTP starts vsftpd and returns the folder that anonymous clients see.
func startFTP(t *testing.T, n *netns.NS) string {
	t.Helper()
	dir := t.TempDir()
	pub := filepath.Join(dir, "root", "pub")
	if err := os.MkdirAll(pub, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir), dir, filepath.Dir(pub), pub} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(pub, 0o777); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "vsftpd.conf")
	text := fmt.Sprintf("listen=YES\nlisten_address=%s\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\nanon_root=%s\n"+
		"write_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\nanon_umask=022\n"+
		"secure_chroot_dir=%s\nseccomp_sandbox=NO\npasv_enable=YES\nport_enable=YES\nconnect_from_port_20=NO\nisolate=NO\nisolate_network=NO\nxferlog_enable=NO\n",
		netns.Server4, filepath.Dir(pub), filepath.Dir(pub))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, n, 21, "vsftpd", conf)
	return pub
}

// Real clients transfer files in both ways, and not one bit differs.
func TestFTPIsIdentical(t *testing.T) {
	b := withProtocol(t, "ftp", 21)
	compare := exact(t, b)
	pub := startFTP(t, b.Server)
	writeFile(t, filepath.Join(pub, "file"), content(300_000), 300_000)
	up := filepath.Join(t.TempDir(), "up")
	writeFile(t, up, content(100_000), 100_000)
	url := "ftp://" + netns.Server4 + "/pub/"
	curl(t, b.Client, "-o", "/dev/null", url+"file", url) // EPSV
	curl(t, b.Client, "--disable-epsv", "-o", "/dev/null", url+"file")
	curl(t, b.Client, "--ftp-port", "-", "-o", "/dev/null", url+"file") // EPRT
	curl(t, b.Client, "--ftp-port", "-", "--disable-eprt", "-T", up, url+"up", "-Q", "PWD", "-Q", "-MDTM /pub/up")
	if out, ok := output(t, b.Client, "lftp", "-c", "set net:timeout 20; open "+netns.Server4+"; cd pub; put "+up+" -o second; mrm second; rm up; mkdir d; ls; rmdir d"); !ok {
		t.Errorf("lftp: %s", out)
	}
	compare(21)
}

func TestFTPCorrections(t *testing.T) {
	b := withProtocol(t, "ftp", 21)
	pub := startFTP(t, b.Server)
	url := "ftp://" + netns.Server4 + "/pub/"
	got := curl(t, b.Client, "-v", "--stderr", "-", "-l", "-Q", "SYST", "-Q", "*PORT 10,77,0,2,4,1", "-Q", "*NOOP", "-Q", "*NOOP", "-Q", "MKD pub/d", url)
	holds(t, "session", got, []string{"215 no system that you need to know of", "500 10.77.0.2 is not yours", "226 "}, []string{"UNIX"})
	if _, err := os.Stat(filepath.Join(pub, "d-after-two-noops")); err != nil {
		t.Errorf("the corrected MKD: %v", err)
	}
	b.event(t, "correction", "WP-2026-ftp")
}

// Commands that come at once are judged by what the server has answered to those in
// front of them, and nothing of a harmless session is lost for it.
func TestFTPAtOnce(t *testing.T) {
	b := withProtocol(t, "ftp", 21)
	startFTP(t, b.Server)
	atOnce := func(commands string) string {
		t.Helper()
		out, ok := output(t, b.Client, "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/21; printf '%s' >&3; cat <&3", netns.Server4, commands))
		if !ok {
			t.Errorf("%s: %s", commands, out)
		}
		return out
	}
	codes := func(replies string) string {
		return strings.Join(regexp.MustCompile(`(?m)^[0-9]{3} `).FindAllString(replies, -1), "")
	}
	if got := atOnce(`USER a\r\nUSER b\r\nUSER c\r\nUSER d\r\n`); codes(got) != "220 530 530 421 " {
		t.Errorf("four logins at once are answered %q; want the third refused", got)
	}
	b.event(t, "correction", "WP-2026-ftp-logins")
	if got := atOnce(`USER anonymous\r\nPASS x\r\nPWD\r\nNOOP\r\nQUIT\r\n`); codes(got) != "220 230 230 257 200 221 " {
		t.Errorf("a session at once is answered %q", got)
	}
}

// startSMTP starts exim4, which keeps what it takes in its queue, and returns the
// folder of the queue.
func startSMTP(t *testing.T, n *netns.NS) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "exim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.Command("chown", "Debian-exim:", dir).CombinedOutput(); err != nil {
		t.Fatalf("chown: %s", out)
	}
	conf := filepath.Join(dir, "exim.conf")
	text := fmt.Sprintf("primary_hostname = server.test\nspool_directory = %s\nlog_file_path = %s/log-%%slog\nlocal_interfaces = %s\n"+
		"queue_only\nhost_lookup =\nrfc1413_query_timeout = 0s\ntls_advertise_hosts =\nchunking_advertise_hosts = *\nkeep_environment =\n"+
		"acl_smtp_rcpt = ok\nacl_smtp_data = ok\nsmtp_receive_timeout = 60s\nbegin acl\nok:\n  accept\n", dir, dir, netns.Server4)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	serve(t, n, 25, "/usr/sbin/exim4", "-C", conf, "-bdf", "-oX", "25", "-oP", filepath.Join(dir, "pid"))
	return dir
}

// A definition about header fields holds them back until they are whole; without
// one a mail passes as it comes.
func TestSMTPIsIdentical(t *testing.T) {
	b := withProtocol(t, "smtp", 25, "WP-2026-mail")
	compare := exact(t, b)
	startSMTP(t, b.Server)
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("Date: now\nFrom: <a@b.test>\nX-Other: a\n folded\n\n.a line with a dot\n..two\n"+strings.Repeat("a line of a mail that is quite long\n", 3000)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--pipeline"}, {"--data", "@" + body}, {"--protocol", "SMTP"}, {"--quit-after", "RCPT"}} {
		args = append([]string{"--server", netns.Server4, "--from", "a@b.test", "--to", "c@d.test,e@f.test", "--helo", "client.test", "--header-Subject", "", "--data", "From: a\\n\\ntext\\n"}, args...)
		if out, ok := output(t, b.Client, "swaks", args...); !ok {
			t.Errorf("swaks %v: %s", args, out)
		}
	}
	if out := curl(t, b.Client, "--mail-from", "a@b.test", "--mail-rcpt", "c@d.test", "-T", body, "--crlf", "smtp://"+netns.Server4+"/client.test"); out != "" {
		t.Errorf("curl: %s", out)
	}
	compare(25)
}

func TestSMTPCorrections(t *testing.T) {
	b := withProtocol(t, "smtp", 25)
	queue := startSMTP(t, b.Server)
	out, _ := output(t, b.Client, "swaks", "--server", netns.Server4, "--from", "a@b.test", "--to", "${run{x}}@d.test,e@f.test", "--helo", "client.test",
		"--data", "From: a@b.test\\nX-Removed: one\\n two\\nSubject: hello\\nTo: e@f.test\\n\\nX-Removed: text\\n")
	holds(t, "session", out, []string{"501 21 characters of which none will run", "250 OK id="}, nil)
	all := ""
	files, err := filepath.Glob(filepath.Join(queue, "input", "*-[DH]"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the queue holds %q, %v; want one mail", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	holds(t, "mail", all, []string{"Subject: hello\n", "X-Inserted: behind hello\n", "X-Removed: text\n", "e@f.test"}, []string{"X-Removed: one", "run"})
}

func startMQTT(t *testing.T, n *netns.NS) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("user root\nallow_anonymous true\nlistener 1883 "+netns.Server4+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	serve(t, n, 1883, "mosquitto", "-c", conf)
}

// retained publishes with retain, and returns what a subscriber then gets.
func retained(t *testing.T, b *box, version string, publish [][]string, topics ...string) string {
	t.Helper()
	for _, p := range publish {
		args := append([]string{"-h", netns.Server4, "-V", version, "-r", "-q", "1", "-t", p[0], "-m", p[1]}, p[2:]...)
		if out, ok := output(t, b.Client, "mosquitto_pub", args...); !ok {
			t.Errorf("mosquitto_pub %v: %s", args, out)
		}
	}
	args := []string{"-h", netns.Server4, "-V", version, "-C", fmt.Sprint(len(topics)), "-W", "20", "-v"}
	for _, topic := range topics {
		args = append(args, "-t", topic)
	}
	out, ok := output(t, b.Client, "mosquitto_sub", args...)
	if !ok {
		t.Errorf("mosquitto_sub %v: %s", args, out)
	}
	return out
}

func TestMQTTIsIdentical(t *testing.T) {
	b := withProtocol(t, "mqtt", 1883)
	compare := exact(t, b)
	startMQTT(t, b.Server)
	for _, version := range []string{"311", "5"} {
		long := strings.Repeat("long ", 100)
		got := retained(t, b, version, [][]string{{"one", "first"}, {"two", "second", "-u", "name", "-P", "word", "--will-topic", "w", "--will-payload", "gone"}, {"three", long}}, "one", "two", "three")
		holds(t, "subscription", got, []string{"one first\n", "two second\n", "three " + long + "\n"}, nil)
	}
	retained(t, b, "5", [][]string{{"four", "x", "-D", "publish", "user-property", "a", "b", "-D", "connect", "session-expiry-interval", "5"}}, "four")
	compare(1883)
	long := strings.Repeat("long ", 20_000)
	if got := retained(t, b, "5", [][]string{{"long", long}}, "long"); got != "long "+long+"\n" {
		t.Errorf("a long message: %d bytes arrive; want %d", len(got), len(long)+6)
	}
}

func TestMQTTCorrections(t *testing.T) {
	b := withProtocol(t, "mqtt", 1883)
	startMQTT(t, b.Server)
	publish := func(args ...string) {
		if out, ok := output(t, b.Client, "mosquitto_pub", append([]string{"-h", netns.Server4, "-r", "-q", "0"}, args...)...); !ok {
			t.Errorf("mosquitto_pub %v: %s", args, out)
		}
	}
	publish("-t", "dropped", "-m", "x")
	publish("-t", "changed", "-m", "x")
	publish("-V", "5", "-t", "property", "-m", "x", "-D", "publish", "user-property", "removed", "1", "-D", "publish", "user-property", "kept", "2")
	got, _ := output(t, b.Client, "mosquitto_sub", "-h", netns.Server4, "-V", "5", "-C", "2", "-W", "20", "-t", "dropped", "-t", "changed", "-t", "property", "-F", "%t %p %P")
	holds(t, "subscription", got, []string{"changed x and much more ", "by the box", "property x kept:2\n"}, []string{"dropped", "removed"})
}
