package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/console"
)

// local is where the tests come from.
var local = netip.MustParseAddr("127.0.0.1")

// bench is a server with one user, anna, whose key it has.
type bench struct {
	*testing.T
	server  *Server
	address string
	dir     string
	key     ssh.Signer
	wanted  atomic.Bool

	mu      sync.Mutex
	audited []audit.Entry
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir()}
	users, err := auth.Open(b.dir, time.Now)
	b.must(err)
	b.must(users.SetUp(t.Context(), users.SetupCode(), "anna", "four plain words here"))
	b.key = b.newKey()
	_, err = users.AddKey("anna", string(ssh.MarshalAuthorizedKey(b.key.PublicKey())))
	b.must(err)
	none := filepath.Join(b.dir, "none")
	menu := console.Box{State: func() state.Box { return state.Box{Version: "0.1.0", Hostname: "rack7"} }, Wire: control.Dial(none), Users: users, Throttle: auth.NewThrottle(time.Now),
		Audit: b.note, Fingerprint: func() string { return "" }, HostKey: func() string { return "" }, Now: time.Now}
	menu.Command.Path, menu.Keeper.Path, menu.Update.Socket = none, none, none
	serving := make(chan net.Addr, 10)
	b.server = &Server{Listen: "127.0.0.1:0", Dir: b.dir, Users: users, Throttle: auth.NewThrottle(time.Now), Audit: b.note, Menu: menu, Wanted: b.wanted.Load,
		Log: slog.New(slog.DiscardHandler), Serving: func(a net.Addr) { serving <- a }}
	b.wanted.Store(true)
	ended := make(chan struct{})
	ctx := t.Context()
	go func() { b.server.Run(ctx); close(ended) }()
	t.Cleanup(func() { <-ended })
	b.address = (<-serving).String()
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) note(e audit.Entry) { b.mu.Lock(); b.audited = append(b.audited, e); b.mu.Unlock() }

func (b *bench) newKey() ssh.Signer {
	b.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	b.must(err)
	k, err := ssh.NewSignerFromKey(private)
	b.must(err)
	return k
}

func (b *bench) dial(user string, how ...ssh.AuthMethod) (*ssh.Client, error) {
	b.Helper()
	host, err := hostKey(b.dir)
	b.must(err)
	return ssh.Dial("tcp", b.address, &ssh.ClientConfig{User: user, Auth: how, HostKeyCallback: ssh.FixedHostKey(host.PublicKey()), Timeout: time.Minute})
}

// TestMenu: with the right key the menu is there, at a terminal and without one.
func TestMenu(t *testing.T) {
	b := newBench(t)
	for _, pty := range []bool{true, false} {
		c, err := b.dial("anna", ssh.PublicKeys(b.key))
		b.must(err)
		s, err := c.NewSession()
		b.must(err)
		if pty {
			b.must(s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
		}
		in, err := s.StdinPipe()
		b.must(err)
		var out bytes.Buffer
		s.Stdout = &out
		b.must(s.Shell())
		end := "\n"
		if pty {
			end = "\r"
		}
		io.WriteString(in, "1x\x7f"+end+"0"+end)
		b.must(s.Wait())
		c.Close()
		text := out.String()
		if !strings.Contains(text, "host name rack7") || !strings.Contains(text, "Signed out") || !strings.Contains(text, "10 factory reset") || strings.Contains(text, "No password is set") {
			t.Errorf("pty %v: the menu shows %q", pty, text)
		}
		if strings.Contains(text, "\r\n") != pty || strings.Contains(text, "1x") != pty {
			t.Errorf("pty %v: echo or ends of lines are not as they should be: %q", pty, text)
		}
	}
	if len(b.audited) != 4 || b.audited[0].Action != "sign-in" || b.audited[0].Who != "anna" || !strings.HasPrefix(b.audited[0].Detail, "key SHA256:") || b.audited[1].Action != "sign-out" {
		t.Errorf("audited %+v; want sign-in and sign-out, twice", b.audited)
	}
}

// TestRefused: no password, no stranger's key, no other user's, none of who is
// disabled; and nothing but the menu for who is in.
func TestRefused(t *testing.T) {
	b := newBench(t)
	b.must(b.server.Users.Add(t.Context(), "otto", auth.Operator, "four plain words here"))
	fresh := func() { b.server.Throttle.Success(local, "") }
	for name, try := range map[string]func() (*ssh.Client, error){
		"password":      func() (*ssh.Client, error) { return b.dial("anna", ssh.Password("four plain words here")) },
		"stranger":      func() (*ssh.Client, error) { return b.dial("anna", ssh.PublicKeys(b.newKey())) },
		"another's key": func() (*ssh.Client, error) { return b.dial("otto", ssh.PublicKeys(b.key)) },
		"no user":       func() (*ssh.Client, error) { return b.dial("root", ssh.PublicKeys(b.key)) },
		"nothing":       func() (*ssh.Client, error) { return b.dial("anna") },
	} {
		fresh()
		if c, err := try(); err == nil {
			c.Close()
			t.Errorf("%s: let in", name)
		}
	}
	fresh()
	c, err := b.dial("anna", ssh.PublicKeys(b.key))
	b.must(err)
	defer c.Close()
	if _, err := c.Dial("tcp", "127.0.0.1:80"); err == nil {
		t.Error("it forwards to 127.0.0.1:80")
	}
	if _, err := c.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("it listens for the client")
	}
	s, err := c.NewSession()
	b.must(err)
	if err := s.Run("id"); err == nil {
		t.Error("it runs a command")
	}
	if err := s.RequestSubsystem("sftp"); err == nil {
		t.Error("it serves files")
	}
	if _, err := c.NewSession(); err == nil {
		t.Error("it opens a second session")
	}
	b.must(b.server.Users.Add(t.Context(), "adam", auth.Administrator, "four plain words here"))
	b.must(b.server.Users.Disable("anna", true))
	fresh()
	if c, err := b.dial("anna", ssh.PublicKeys(b.key)); err == nil {
		c.Close()
		t.Error("who is disabled is let in")
	}
}

// TestAbuse: too many keys, guesses without end, and connections that say nothing.
func TestAbuse(t *testing.T) {
	b := newBench(t)
	var keys []ssh.Signer
	for range maxTries + 2 {
		keys = append(keys, b.newKey())
	}
	if _, err := b.dial("anna", ssh.PublicKeys(append(keys, b.key)...)); err == nil {
		t.Errorf("a key beyond the %dth is taken", maxTries)
	}
	for range 8 {
		if c, err := b.dial("anna", ssh.PublicKeys(b.newKey())); err == nil {
			c.Close()
		}
	}
	if _, err := b.dial("anna", ssh.PublicKeys(b.key)); err == nil {
		t.Error("after guesses without end the right key is taken at once; want a wait")
	}
	b.server.Throttle.Success(local, "")
	var open []net.Conn
	for range maxOfOne + 3 {
		c, err := net.Dial("tcp", b.address)
		b.must(err)
		defer c.Close()
		open = append(open, c)
	}
	served := 0
	for _, c := range open {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadFull(c, make([]byte, 4)); err == nil { // of the greeting
			served++
		}
	}
	if served > maxOfOne {
		t.Errorf("%d connections from one address are served at once; want %d", served, maxOfOne)
	}
	for _, c := range open {
		c.Close()
	}
	b.server.Throttle.Success(local, "")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // until those are forgotten
		c, err := b.dial("anna", ssh.PublicKeys(b.key))
		if err == nil {
			c.Close()
			return
		}
		b.server.Throttle.Success(local, "")
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("connections that say nothing keep the user out for good")
}

// TestOff: what is switched off ends, and is there again when it is wanted.
func TestOff(t *testing.T) {
	b := newBench(t)
	c, err := b.dial("anna", ssh.PublicKeys(b.key))
	b.must(err)
	b.wanted.Store(false)
	if err := c.Wait(); err == nil {
		t.Error("an open connection outlives that SSH is switched off")
	}
	if c, err := net.Dial("tcp", b.address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	if k, err := hostKey(b.dir); err != nil || ssh.FingerprintSHA256(k.PublicKey()) != HostKey(b.dir) {
		t.Errorf("host key: %v; want the same one each time", err)
	}
	b.must(os.WriteFile(filepath.Join(b.dir, keyFile), []byte("torn"), 0o600))
	if _, err := hostKey(b.dir); err == nil {
		t.Error("a damaged host key is replaced")
	}
}

// TestOpenSSH: Debian's client opens the menu.
func TestOpenSSH(t *testing.T) {
	b := newBench(t)
	id := filepath.Join(b.dir, "id")
	b.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", id)
	public, err := os.ReadFile(id + ".pub")
	b.must(err)
	_, err = b.server.Users.AddKey("anna", string(public))
	b.must(err)
	_, port, _ := net.SplitHostPort(b.address)
	cmd := exec.CommandContext(t.Context(), "ssh", "-tt", "-F", "/dev/null", "-i", id, "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "anna@127.0.0.1")
	cmd.Stdin = strings.NewReader("1\n0\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "host name rack7") {
		t.Errorf("ssh: %v\n%s", err, out)
	}
}

func (b *bench) tool(name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func TestEditor(t *testing.T) {
	for _, tt := range []struct{ typed, echo, lines string }{
		{"abc\r", "abc\r\n", "abc|"},
		{"ab\x7f\x08c\r\n", "ab\b \b\b \bc\r\n", "c|"},
		{"a\r\nb\n", "a\r\nb\r\n", "a|b|"},
		{"ü\x7fx\r", "ü\b \bx\r\n", "x|"},
		{"abc\x15d\r", "abc\b \b\b \b\b \bd\r\n", "d|"},
		{"a\x1b[Ab\x1b[1;5Cc\x1bOPd\r", "abcd\r\n", "abcd|"},
		{"abc\x03", "abc^C\r\n", ".|"},
		{"a\x04\r", "a\r\n", "a|"},
		{"\x07\x00\r", "\r\n", "|"},
	} {
		var e editor
		var echo, lines strings.Builder
		for _, b := range []byte(tt.typed) {
			shown, line, m := e.key(b)
			echo.Write(shown)
			if m == done {
				fmt.Fprintf(&lines, "%s|", line)
			}
		}
		if echo.String() != tt.echo || lines.String() != tt.lines {
			t.Errorf("typed %q: echo %q, lines %q; want %q, %q", tt.typed, echo.String(), lines.String(), tt.echo, tt.lines)
		}
	}
	var e editor
	if _, _, m := e.key(ctrlD); m != hangUp {
		t.Error("Ctrl-D on an empty line does not hang up")
	}
}

// flow is a channel with what a client sends.
type flow struct {
	io.Reader
	bytes.Buffer
}

func (f *flow) Read(b []byte) (int, error) { return f.Reader.Read(b) }

func FuzzTerminal(f *testing.F) {
	f.Add("1\r0\r", true)
	f.Add("\x1b[200~x\x1b[201~\x7f\x15\x03\x04", true)
	f.Add(strings.Repeat("y", 2*maxLine)+"\n\x04", false)
	f.Fuzz(func(t *testing.T, typed string, pty bool) {
		term := &terminal{channel: &flow{Reader: strings.NewReader(typed)}, pty: pty}
		got, err := io.ReadAll(term)
		if err != nil && !errors.Is(err, errHangUp) {
			t.Errorf("Read = %v", err)
		}
		for l := range bytes.Lines(got) {
			if len(l) > maxLine+1 || bytes.ContainsAny(l, "\x1b\x7f\r\x00") {
				t.Errorf("typed %q gives the line %q", typed, l)
			}
		}
	})
}
