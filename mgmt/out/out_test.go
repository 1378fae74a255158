package out

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/wire"
)

// bench is a sender with real stores.
type bench struct {
	*testing.T
	*Sender
	seq uint64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOf(t, events.DefaultLimits)
}

// newBenchOf is newBench with other bounds of what is kept.
func newBenchOf(t *testing.T, limits events.Limits) *bench {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "r.db"), store.Schema{Steps: []string{audit.Schema, Schema}})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := events.Open(filepath.Join(dir, "e.db"), limits, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go ev.Run(ctx)
	b := &bench{T: t, Sender: &Sender{DB: db, Events: ev, Audit: audit.New(db, time.Now, quiet, func(audit.Record) {}), Host: func() string { return "rack7" }, Now: time.Now, Log: quiet}}
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range b.Status() {
			b.Remove(s.Name)
		}
		cancel()
		ev.Wait()
		db.Close()
	})
	return b
}

// correct has n corrections happen, and one audit record.
func (b *bench) correct(n int) {
	for range n {
		b.seq++
		b.Events.Keep(wire.Record{Seq: b.seq, Source: "dataplane", Event: control.Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC), Kind: "correction", Text: "cut]\"\\ \n<1>1 forged",
			Service: "portal", Client: "10.77.0.1:50314", Server: "10.77.0.2:80", Evidence: &session.Evidence{Definition: "WP-2023-26125", Revision: 2, Mode: "correct", Action: "set", Element: "request.header"}}}, "one", b.seq)
	}
	b.Audit.Add(audit.Entry{Who: "anna", Action: "sign-in", From: "192.0.2.9", Outcome: "done"})
}

func (b *bench) add(o Output) {
	b.Helper()
	if err := b.Add(o); err != nil {
		b.Fatal(err)
	}
}

// frames reads octet-counted messages of one connection.
func frames(c net.Conn, to chan<- string) {
	r := bufio.NewReader(c)
	for {
		n, err := r.ReadString(' ')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil || size > 1<<20 {
			return
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		to <- string(text)
	}
}

// serve takes streams at address until the returned function is called.
func serve(t *testing.T, address string, config *tls.Config, to chan<- string) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	var all []net.Conn
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			go frames(c, to)
			accepted <- c
		}
	}()
	stopped := make(chan struct{})
	go func() {
		for c := range accepted {
			all = append(all, c)
		}
		for _, c := range all {
			c.Close()
		}
		close(stopped)
	}()
	return l.Addr().String(), func() { l.Close(); <-stopped }
}

func await(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case s := <-from:
		return s
	case <-time.After(time.Minute):
		t.Fatal("nothing came within a minute")
		return ""
	}
}

var rfc5424 = regexp.MustCompile(`^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z rack7 wirepatch - (\S+) (-|\[wirepatch@32473( [a-z]+="([^"\\\]]|\\["\\\]])*")+\]) .*$`)

var seqField = regexp.MustCompile(` seq="(\d+)"`)

// A receiver that goes away and comes back misses nothing.
func TestReceiverAway(t *testing.T) {
	b := newBench(t)
	got := make(chan string, 10_000)
	address, stop := serve(t, "127.0.0.1:0", nil, got)
	b.add(Output{Name: "siem", Kind: "tcp", Target: address, Format: Text})
	seen := map[string]bool{}
	collect := func(n int) {
		t.Helper()
		for len(seen) < n {
			m := await(t, got)
			if !rfc5424.MatchString(m) {
				t.Fatalf("no message by RFC 5424: %q", m)
			}
			if f := seqField.FindStringSubmatch(m); f != nil {
				seen[f[1]] = true
			}
		}
	}
	b.correct(50)
	collect(50)
	stop()
	for b.Status()[0].Error == "" {
		time.Sleep(10 * time.Millisecond)
	}
	b.correct(700)
	for b.Events.Resume().Seq < 750 {
		time.Sleep(10 * time.Millisecond)
	}
	if st := b.Status()[0]; st.Waiting < 700 || st.Lost != 0 {
		t.Errorf("while the receiver is away: %+v; want 700 waiting, none lost", st)
	}
	_, stop = serve(t, address, nil, got)
	defer stop()
	collect(750)
	for b.Status()[0].Waiting > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if st := b.Status()[0]; st.Error != "" || st.Event != 750 {
		t.Errorf("with the receiver back: %+v", st)
	}
}

// What an output has sent is not sent again after a restart.
func TestGoesOnAfterRestart(t *testing.T) {
	b := newBench(t)
	got := make(chan string, 1000)
	address, stop := serve(t, "127.0.0.1:0", nil, got)
	defer stop()
	b.add(Output{Name: "siem", Kind: "tcp", Target: address, Format: CEF})
	b.correct(3)
	for range 4 {
		await(t, got)
	}
	for b.Status()[0].Waiting > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, w := range b.running {
		w.stop()
		<-w.done
	}
	if err := b.Start(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.correct(1)
	// One of either log, and of neither what went out before.
	next := await(t, got) + await(t, got)
	if !strings.Contains(next, "externalId=4 ") || !strings.Contains(next, "outcome=done externalId=2 ") {
		t.Errorf("after the restart comes %q; want correction 4 and audit record 2", next)
	}
}

// Where the file of events was begun anew, since it was damaged, its numbers begin
// anew, too: an output does not wait for the old ones to come again.
func TestGoesOnWithAnotherFile(t *testing.T) {
	b := newBench(t)
	got := make(chan string, 1000)
	address, stop := serve(t, "127.0.0.1:0", nil, got)
	defer stop()
	b.add(Output{Name: "siem", Kind: "tcp", Target: address, Format: CEF})
	for _, w := range b.running {
		w.stop()
		<-w.done
	}
	if _, err := b.DB.Write.Exec("UPDATE output SET event = 5000"); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.correct(1)
	if next := await(t, got) + await(t, got); !strings.Contains(next, "WP-2023-26125") {
		t.Errorf("what comes is %q; want the correction", next)
	}
}

func TestTLSOnlyFromWhoIsTrusted(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil) // for its certificate
	srv.StartTLS()
	defer srv.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	b := newBench(t)
	got := make(chan string, 100)
	address, stop := serve(t, "127.0.0.1:0", srv.TLS, got)
	defer stop()
	b.add(Output{Name: "stranger", Kind: "tls", Target: address, Format: Text})
	b.add(Output{Name: "trusted", Kind: "tls", Target: address, Format: EVE, CA: ca})
	b.correct(1)
	m := await(t, got)
	_, body, _ := strings.Cut(m, " correction - ")
	var eve struct {
		Timestamp string
		EventType string `json:"event_type"`
		SrcIP     string `json:"src_ip"`
		Alert     struct {
			Action      string
			SignatureID int `json:"signature_id"`
		}
	}
	if err := json.Unmarshal([]byte(body), &eve); err != nil || eve.Timestamp != "2026-01-02T03:04:05.678901+0000" || eve.EventType != "alert" || eve.SrcIP != "10.77.0.1" || eve.Alert.SignatureID != 202326125 {
		t.Errorf("EVE = %q, %v", m, err)
	}
	for b.Status()[0].Error == "" {
		time.Sleep(10 * time.Millisecond)
	}
	if st := b.Status()[0]; st.Name != "stranger" || !strings.Contains(st.Error, "certificate") || st.Event != 0 {
		t.Errorf("a receiver whose certificate nobody vouches for: %+v; want nothing sent", st)
	}
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := newBench(t)
	b.add(Output{Name: "old", Kind: "udp", Target: c.LocalAddr().String(), Format: Text})
	b.correct(1)
	c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 4096)
	n, _, err := c.ReadFrom(buf)
	if err != nil || !rfc5424.Match(buf[:n]) || strings.Contains(string(buf[:n]), "\n") {
		t.Errorf("datagram %q, %v; want one message in one line", buf[:n], err)
	}
}

func TestWebhook(t *testing.T) {
	got := make(chan string, 100)
	refuse := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("hush"))
		mac.Write(body)
		if r.Header.Get("X-Wirepatch-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if refuse { // the first time: the batch must come again
			refuse = false
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		got <- string(body)
	}))
	defer srv.Close()
	b := newBench(t)
	b.add(Output{Name: "hook", Kind: "webhook", Target: srv.URL, Secret: "hush"})
	b.correct(2)
	seen := 0
	for seen < 2 {
		var batch Batch
		if err := json.Unmarshal([]byte(await(t, got)), &batch); err != nil || batch.Host != "rack7" {
			t.Fatalf("batch: %+v, %v", batch, err)
		}
		seen += len(batch.Events)
	}
}

func TestEVETransport(t *testing.T) {
	for _, want := range []string{"TCP", "UDP"} {
		m := ofRecord(wire.Record{Seq: 1, Event: control.Event{Kind: "correction", Client: "10.0.0.7:5353", Server: "10.0.0.1:53",
			Evidence: &session.Evidence{Definition: "WP-1", Mode: "correct", Action: "reject", Datagram: want == "UDP"}}})
		var eve struct{ Proto string }
		if err := json.Unmarshal(m.eve("rack7"), &eve); err != nil || eve.Proto != want {
			t.Errorf("proto is %q, %v; want %s", eve.Proto, err, want)
		}
	}
}

func TestCEF(t *testing.T) {
	r := wire.Record{Seq: 7, Event: control.Event{Time: time.UnixMilli(1700000000123), Kind: "correction", Text: "a=b|c\\d\ne", Client: "[fd77::1]:5", Server: "10.0.0.1:80",
		Evidence: &session.Evidence{Definition: "WP|1", Revision: 3, Mode: "correct", Action: "reject", Element: "x"}}}
	want := `CEF:0|Wirepatch|Wirepatch|0.1.0|WP\|1|Inline patch WP\|1|4|rt=1700000000123 dvchost=rack7 msg=a\=b|c\\d?e externalId=7 src=fd77::1 spt=5 dst=10.0.0.1 dpt=80 act=rejected cs1Label=definition cs1=WP|1 cs3Label=element cs3=x cn1Label=revision cn1=3`
	m := ofRecord(r)
	if got := m.cef("rack7"); got != want {
		t.Errorf("CEF\n%s\nwant\n%s", got, want)
	}
}

func TestCheck(t *testing.T) {
	good := Output{Name: "a", Kind: "tcp", Target: "192.0.2.1:514", Format: Text}
	if err := good.Check(); err != nil {
		t.Errorf("Check = %v", err)
	}
	for i, change := range []func(*Output){
		func(o *Output) { o.Name = "a b" }, func(o *Output) { o.Kind = "ftp" }, func(o *Output) { o.Target = "192.0.2.1" }, func(o *Output) { o.Format = "xml" },
		func(o *Output) { o.CA = "no PEM" }, func(o *Output) { o.Kind, o.Target = "webhook", "file:///etc/passwd" },
		func(o *Output) { o.Kind, o.Target = "webhook", "https://user:pw@host/" },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil {
			t.Errorf("case %d: %+v is taken", i, o)
		}
	}
}

// Whatever the wire and users have put into it, a message is one line, and its
// structure is whole.
func FuzzSyslogLine(f *testing.F) {
	f.Add("correction", "text]\"\\\n", "10.0.0.1:1", "WP-1")
	f.Add("", "\xff\u2028", "", "")
	f.Fuzz(func(t *testing.T, kind, text, client, definition string) {
		m := ofRecord(wire.Record{Event: control.Event{Kind: kind, Text: text, Client: client, Evidence: &session.Evidence{Definition: definition, Element: text}}})
		for _, format := range []string{Text, CEF, EVE} {
			got := string(m.syslogLine("rack7", format))
			if strings.ContainsAny(got, "\n\r\x00") || format == Text && !rfc5424.MatchString(got) {
				t.Errorf("%s: %q", format, got)
			}
			if format == EVE {
				_, body, _ := strings.Cut(got, " - ")
				_, body, _ = strings.Cut(body, " - ")
				if !json.Valid([]byte(body)) && !json.Valid([]byte(fmt.Sprint(body))) {
					t.Errorf("EVE body %q", got)
				}
			}
		}
	})
}
