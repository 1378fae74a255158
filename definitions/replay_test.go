package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/firmware/pack"
)

// tcpFrame is an Ethernet frame of one TCP segment over IPv4 between 10.0.0.1,
// the client, and 10.0.0.2.
func tcpFrame(toServer bool, seq uint32, flags byte, data string) []byte {
	b := make([]byte, 54, 54+len(data))
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip, tcp := b[14:], b[34:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(data)))
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	binary.BigEndian.PutUint16(tcp, 40000)
	binary.BigEndian.PutUint16(tcp[2:], 8080)
	if !toServer {
		copy(ip[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
		binary.BigEndian.PutUint16(tcp, 8080)
		binary.BigEndian.PutUint16(tcp[2:], 40000)
	}
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flags
	return append(b, data...)
}

// pcapOf writes frames as a pcap, or as a pcapng.
func pcapOf(ng bool, frames ...[]byte) []byte {
	le := binary.LittleEndian
	var b []byte
	if !ng {
		b = le.AppendUint32(b, 0xa1b2c3d4)
		b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		b = le.AppendUint32(le.AppendUint32(b, 65535), linkEthernet)
		for _, f := range frames {
			b = append(b, make([]byte, 8)...)
			b = le.AppendUint32(le.AppendUint32(b, uint32(len(f))), uint32(len(f)))
			b = append(b, f...)
		}
		return b
	}
	block := func(kind uint32, body []byte) {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		n := uint32(12 + len(body))
		b = le.AppendUint32(le.AppendUint32(b, kind), n)
		b = le.AppendUint32(append(b, body...), n)
	}
	block(blockSection, append(le.AppendUint32(nil, 0x1a2b3c4d), 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255))
	block(blockInterface, []byte{linkEthernet, 0, 0, 0, 0, 0, 0, 0})
	for _, f := range frames {
		head := make([]byte, 20)
		le.PutUint32(head[12:], uint32(len(f)))
		le.PutUint32(head[16:], uint32(len(f)))
		block(blockPacket, append(head, f...))
	}
	return b
}

// A capture with segments out of order and sent twice is put together, and what
// would change is shown.
func TestReplay(t *testing.T) {
	const syn, ack, fin = 2, 16, 1
	first, second := "GET /a HTTP/1.1\r\nHost: a\r\nX-Middleware", "-Subrequest: x\r\n\r\n"
	frames := [][]byte{
		tcpFrame(true, 99, syn, ""), tcpFrame(false, 499, syn|ack, ""),
		tcpFrame(true, 100+uint32(len(first)), ack, second), tcpFrame(true, 100, ack, first), tcpFrame(true, 100, ack, strings.Repeat("!", len(first))),
		tcpFrame(false, 500, ack, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), tcpFrame(true, 100+uint32(len(first+second)), ack|fin, ""),
		make([]byte, 60),
	}
	for _, ng := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "capture")
		if err := os.WriteFile(path, pcapOf(ng, frames...), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run([]string{"replay", path, "--port", "8080", "WP-2025-29927"}, &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"session 10.0.0.1:40000 to 10.0.0.2:8080\n  WP-2025-29927 rule 0: remove request.header\n    before \"X-Middleware-Subrequest: x\\r\\n\"\n",
			"  the server would get\n    - \"X-Middleware-Subrequest: x\\r\\n\"\n",
			"1 sessions, of which 1 were read; 1 corrections in 1 of them; 1 other frames\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("pcapng %v: replay lacks %q:\n%s", ng, want, out.String())
			}
		}
		if strings.Contains(out.String(), "client would get") {
			t.Errorf("replay shows a change of the response:\n%s", out.String())
		}
	}
}

func FuzzCapture(f *testing.F) {
	f.Add(pcapOf(false, tcpFrame(true, 1, 2, ""), tcpFrame(true, 2, 16, "GET / HTTP/1.1\r\n\r\n")))
	f.Add(pcapOf(true, tcpFrame(true, 1, 16, "a"), tcpFrame(false, 1, 17, "b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRecorder()
		if err := readCapture(bytes.NewReader(b), r.frame); err != nil {
			return
		}
		for _, s := range r.sessions {
			if n := len(s.pieces); n > len(b) {
				t.Errorf("%d pieces of %d bytes", n, len(b))
			}
		}
	})
}

// Two packs of the same content are the same octets, and hold all.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "d", "WP-2025-29927"), os.DirFS("WP-2025-29927")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "d", "protocols"), os.DirFS("protocols")); err != nil {
		t.Fatal(err)
	}
	var packs [][]byte
	for _, name := range []string{"one", "two"} {
		var out bytes.Buffer
		if err := run([]string{"pack", "-revision", "3", "-o", filepath.Join(dir, name), filepath.Join(dir, "d")}, &out); err != nil {
			t.Fatalf("pack: %v\n%s", err, out.String())
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		packs = append(packs, b)
	}
	if !bytes.Equal(packs[0], packs[1]) {
		t.Error("two packs of the same content differ")
	}
	for _, want := range []string{"pack.json", `{"revision":3}`, "WP-2025-29927/patch.yaml", "protocols/redis.yaml", "title: Next.js"} {
		if !bytes.Contains(packs[0], []byte(want)) {
			t.Errorf("the pack lacks %q", want)
		}
	}
	if p, err := pack.Read(bytes.NewReader(packs[0])); err != nil || p.Revision != 3 || len(p.Files) < 3 {
		t.Errorf("the box reads the pack as %+v, %v; want revision 3 and all files", p, err)
	}
	broken := filepath.Join(dir, "d", "WP-2025-29927", "patch.yaml")
	if err := os.WriteFile(broken, []byte("id: WP-2025-29927\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"pack", "-revision", "4", "-o", filepath.Join(dir, "three"), filepath.Join(dir, "d")}, &bytes.Buffer{}); err == nil {
		t.Error("a pack with a faulty definition was written")
	}
}

// What "new" writes for other protocols passes its own tests, too.
func TestNewOfProtocols(t *testing.T) {
	for name := range templates {
		head, _, _ := strings.Cut(strings.Replace(template, "id: ID\n", "id: WP-2099-1\n", 1), "protocol: http\n")
		d, err := patch.Parse("t.yaml", []byte(head+"protocol: "+name+"\n"+templates[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range patch.Test(d, allDecoders()[name]) {
			t.Errorf("%s: %v", name, f)
		}
	}
}
