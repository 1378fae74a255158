package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	real "crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/protocol/whole/wholetest"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// sent is something that one side has sent.
type sent struct {
	dir session.Direction
	b   []byte
}

// recorder notes what its end writes.
type recorder struct {
	net.Conn
	dir session.Direction
	mu  *sync.Mutex
	log *[]sent
}

func (r recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	*r.log = append(*r.log, sent{r.dir, bytes.Clone(b)})
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// pair is a TCP connection within the host.
func pair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { c.Close() })
	}
	return client, server
}

// talk is a session between two real ends: a handshake, and data both ways.
func talk(t testing.TB, version uint16, retry bool) []sent {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	var log []sent
	var mu sync.Mutex
	a, b := pair(t)
	server := real.Server(recorder{b, session.ToClient, &mu, &log}, &real.Config{MaxVersion: version, NextProtos: []string{"web"},
		CurvePreferences: []real.CurveID{real.CurveP384}, Certificates: []real.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	curves := []real.CurveID{real.CurveP384}
	if retry {
		curves = []real.CurveID{real.X25519, real.CurveP384}
	}
	client := real.Client(recorder{a, session.ToServer, &mu, &log}, &real.Config{ServerName: "a.test", InsecureSkipVerify: true, MinVersion: real.VersionTLS12,
		MaxVersion: version, NextProtos: []string{"web", "other"}, CurvePreferences: curves})
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, 20000)
		_, err := io.ReadFull(server, buf)
		if err == nil {
			_, err = server.Write(buf)
		}
		done <- err
	}()
	if _, err := client.Write(make([]byte, 20000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 20000)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return log
}

// play sends a log through a decoder in pieces and returns what arrived.
func play(t testing.TB, d session.Inspector, log []sent, size int) (*wiretest.Wire, [2]string) {
	t.Helper()
	w := wiretest.New(t, d)
	for _, s := range log {
		for b := range slices.Chunk(s.b, size) {
			w.Feed(s.dir, b, false)
		}
	}
	w.Feed(session.ToServer, nil, true)
	w.Feed(session.ToClient, nil, true)
	return w, [2]string{w.ToServer(), w.ToClient()}
}

func all(log []sent, dir session.Direction) string {
	var out []byte
	for _, s := range log {
		if s.dir == dir {
			out = append(out, s.b...)
		}
	}
	return string(out)
}

func decoder(r protocol.Rules) *Decoder { return New(r, wholetest.Conn, whole.Options{}) }

// TestRealSessions: what two real ends say is read, and passes bit for bit.
func TestRealSessions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		retry   bool
		want    []string
		not     []string
	}{
		{"TLS 1.2", real.VersionTLS12, false, []string{"client.hello version=771 versions=[771] ", "server_name=a.test", "alpn=[web other]", "client.extension type=0 size=11",
			"server.hello version=771 versions=[771]", "alpn=[web]", "server.handshake type=11 length=", "server.handshake type=14 length=0", "client.handshake type=16",
			"client.record type=20 version=771 length=1 encrypted=false", "client.record type=23 version=771 length="}, nil},
		{"TLS 1.3", real.VersionTLS13, false, []string{"versions=[772 771]", "server.hello version=771 versions=[772]", "server.record type=23", "client.record type=23"}, []string{"server.handshake type=11"}},
		{"TLS 1.3 with a retry", real.VersionTLS13, true, []string{"client.hello", "server.hello"}, nil},
	} {
		log := talk(t, tt.version, tt.retry)
		for _, size := range []int{1, 13, 1500, 1 << 20} {
			var lines string
			_, got := play(t, decoder(wholetest.Lines(&lines)), log, size)
			for dir := range got {
				if want := all(log, session.Direction(dir)); got[dir] != want {
					t.Errorf("%s, pieces of %d, direction %d: %d bytes arrived, or other ones; want the %d that were sent", tt.name, size, dir, len(got[dir]), len(want))
				}
			}
			for _, w := range tt.want {
				if !strings.Contains(lines, w) {
					t.Errorf("%s: elements lack %q:\n%.3000s", tt.name, w, lines)
				}
			}
			for _, w := range tt.not {
				if strings.Contains(lines, w) {
					t.Errorf("%s: elements have %q", tt.name, w)
				}
			}
			hellos := strings.Count(lines, ".hello ")
			if want := map[bool]int{false: 2, true: 4}[tt.retry]; hellos != want {
				t.Errorf("%s: %d hellos; want %d", tt.name, hellos, want)
			}
			play(t, decoder(wholetest.Fits(t, Schema())), log, size)
		}
	}
}

// want are rules that ask for some kinds only.
type want struct {
	wholetest.Rules
	kinds []string
}

func (w want) Wants(kind string) bool { return slices.Contains(w.kinds, kind) }

// TestRestPasses: once it is encrypted, what no rule asks for is not held.
func TestRestPasses(t *testing.T) {
	for version, kinds := range map[uint16][]string{real.VersionTLS12: {"client.hello"}, real.VersionTLS13: {"client.hello", "client.heartbeat"}} {
		d := decoder(want{wholetest.Harmless, kinds})
		play(t, d, talk(t, version, false), 4096)
		if !d.halves[0].passing || !d.halves[1].passing {
			t.Errorf("version %x: passing %t, %t; want both", version, d.halves[0].passing, d.halves[1].passing)
		}
	}
	d := decoder(want{wholetest.Harmless, []string{"client.heartbeat"}})
	if play(t, d, talk(t, real.VersionTLS12, false), 4096); d.halves[0].passing {
		t.Error("heartbeats of TLS 1.2 are not watched once it is encrypted")
	}
}

func record(kind byte, body string) string {
	return string([]byte{kind, 3, 2, byte(len(body) >> 8), byte(len(body))}) + body
}

func beat(payload, length int) string {
	return record(24, string([]byte{1, byte(payload >> 8), byte(payload)})+strings.Repeat("p", length-3))
}

// bled is what the patch of OpenSSL discards, and what cannot be discarded any more.
var bled = wholetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
	i := func(name string) int64 { v, _ := e.Field(name).Value.(int64); return v }
	switch {
	case e.Kind == "client.heartbeat" && e.Field("encrypted").Value == false && i("payload_length")+19 > i("length"):
		return &protocol.Correction{Action: protocol.Remove}
	case e.Kind == "server.heartbeat" && e.Field("encrypted").Value == true && i("asked") >= 0 && i("length") > i("asked"):
		return &protocol.Correction{Action: protocol.Reset}
	}
	return nil
})

func TestHeartbeats(t *testing.T) {
	ccs := record(20, "\x01")
	w := wiretest.New(t, decoder(bled))
	w.Client(beat(16384, 3) + beat(16, 35) + beat(17, 35))
	if got := w.ToServer(); got != beat(16, 35) {
		t.Errorf("the server got %x; want the heartbeat that fits", got)
	}
	w.Server(beat(16, 35))
	w.Client(ccs + beat(1, 60))
	w.Server(ccs + record(23, "x") + beat(1, 60))
	w.Client(beat(1, 60) + beat(1, 50))
	w.Server(beat(1, 50))
	w.Server(beat(1, 60)) // of the server's own: nothing was asked
	w.Client(beat(1, 60))
	if w.End != session.Continue {
		t.Fatalf("the session ends though each answer is no longer than what was asked")
	}
	w.Client(beat(1, 40) + beat(1, 16000))
	if w.Server(beat(1, 41)); w.End != session.Reset {
		t.Error("an answer that is longer than what was asked passes")
	}
	remove := wholetest.At("client.heartbeat", protocol.Correction{Action: protocol.Remove})
	w = wiretest.New(t, decoder(remove))
	w.Client(ccs + beat(1, 60))
	if got := w.ToServer(); got != ccs+beat(1, 60) || len(w.Evidence()) != 1 || !strings.Contains(w.Evidence()[0].Note, "decrypted") {
		t.Errorf("an encrypted record is removed: %x, %+v", got, w.Evidence())
	}
	w = wiretest.New(t, decoder(wholetest.At("client.heartbeat", protocol.Correction{Action: protocol.Drop})))
	if w.Client(ccs + beat(1, 60)); w.End != session.Reset {
		t.Error("an encrypted record is dropped and the session goes on")
	}
}

// Empty records, which OpenSSL passes over, and data before any version is agreed on
// do not make plain records encrypted ones.
func TestNotEncrypted(t *testing.T) {
	log := talk(t, real.VersionTLS12, false)
	client, server := string(log[0].b), string(log[1].b)
	for _, tt := range []struct{ name, before, after string }{
		{"empty records", "", record(20, "") + record(23, "")},
		{"data before the server's hello", record(23, "x"), ""},
		{"data behind it", "", record(23, "x")},
	} {
		w := wiretest.New(t, decoder(bled))
		w.Client(client + tt.before)
		w.Server(server)
		w.ToServer()
		w.Client(tt.after + beat(16384, 3) + beat(16, 35))
		if got := w.ToServer(); got != tt.after+beat(16, 35) {
			t.Errorf("%s: the server got %x; want what is too long taken out", tt.name, got)
		}
	}
}

func TestReject(t *testing.T) {
	const no = "\x15\x03\x03\x00\x02\x02\x70"
	log := talk(t, real.VersionTLS12, false)
	w, got := play(t, decoder(wholetest.At("client.hello", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: no, Close: true}})), log[:1], 7)
	if got[session.ToClient] != no || got[session.ToServer] != "" || w.End != session.Close {
		t.Errorf("reject: the client got %q, the server %q, the end is %v; want the alert alone and an orderly end", got[session.ToClient], got[session.ToServer], w.End)
	}
}

// TestFragmentedHello: a hello in many records is read as one; in too many, or
// interrupted, it is not.
func TestFragmentedHello(t *testing.T) {
	log := talk(t, real.VersionTLS12, false)
	body := log[0].b[5:]
	cut := func(size int) string {
		var out string
		for b := range slices.Chunk(body, size) {
			out += record(22, string(b))
		}
		return out
	}
	for _, size := range []int{len(body)/3 + 1, len(body)/60 + 1} {
		for _, piece := range []int{1, 1 << 20} {
			var lines string
			in := cut(size)
			if _, got := play(t, decoder(wholetest.Lines(&lines)), []sent{{session.ToServer, []byte(in)}}, piece); !strings.Contains(lines, "server_name=a.test") || got[0] != in {
				t.Errorf("records of %d, pieces of %d: elements are\n%s", size, piece, lines)
			}
			play(t, decoder(wholetest.Fits(t, Schema())), []sent{{session.ToServer, []byte(in)}}, piece)
		}
	}
	for name, in := range map[string]string{
		"too many records": cut(1), "interrupted": record(22, string(body[:9])) + record(21, "\x01\x00"), "empty record": record(22, string(body[:9])) + record(22, ""),
		"too long": record(22, "\x01\x01\x00\x01xxx"), "HTTP": "GET / HTTP/1.1\r\n", "record too long": "\x16\x03\x01\x48\x01", "malformed": record(22, "\x01\x00\x00\x03abc"),
	} {
		w := wiretest.New(t, decoder(wholetest.Harmless))
		if w.Client(in); w.End != session.Reset || len(w.Evidence()) != 1 || w.Evidence()[0].Definition != "" {
			t.Errorf("%s: the end is %v, evidence %+v; want a reset, and why", name, w.End, w.Evidence())
		}
		w = wiretest.New(t, New(wholetest.Harmless, wholetest.Conn, whole.Options{Exceed: "pass"}))
		if w.Client(in); w.End != session.Continue || w.ToServer() != in {
			t.Errorf("%s, with pass: the end is %v; want it to pass", name, w.End)
		}
		w = wiretest.New(t, decoder(wholetest.Nobody{}))
		if w.Client(in); w.End != session.Continue {
			t.Errorf("%s, and nobody asks: the end is %v", name, w.End)
		}
	}
	old := "\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2fcccccccccccccccc" + record(22, "\x10\x00\x00\x01x")
	var lines string
	if _, got := play(t, decoder(wholetest.Lines(&lines)), []sent{{session.ToServer, []byte(old)}}, 3); got[0] != old || !strings.Contains(lines, "client.handshake type=16") {
		t.Errorf("a hello of SSL 2.0: %q, elements %s", got[0], lines)
	}
}

func FuzzInspect(f *testing.F) {
	for _, version := range []uint16{real.VersionTLS12, real.VersionTLS13} {
		log := talk(f, version, true)
		f.Add([]byte(all(log, 0)[:900]), []byte(all(log, 1)[:900]), uint16(100))
	}
	f.Add([]byte(beat(16384, 3)+record(20, "\x01")+beat(1, 40)), []byte(record(20, "\x01")+beat(1, 80)), uint16(5))
	f.Fuzz(func(t *testing.T, in, back []byte, size uint16) {
		for _, r := range []protocol.Rules{wholetest.Fits(t, Schema()), bled, want{bled, []string{"client.heartbeat"}}} {
			w := wiretest.New(t, New(r, wholetest.Conn, whole.Options{Exceed: "pass"}))
			step := int(size) + 1
			for at := 0; at < max(len(in), len(back)); at += step {
				w.Feed(session.ToServer, in[min(at, len(in)):min(at+step, len(in))], at+step >= len(in))
				w.Feed(session.ToClient, back[min(at, len(back)):min(at+step, len(back))], at+step >= len(back))
			}
		}
	})
}
