package banner

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// said is what servers say first, as recorded or as their protocols have it.
var said = []struct {
	name, text         string
	port               uint16
	protocol, software string // name, "|", version, joined by ","
	names              string
}{
	{"nginx", "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: x\r\n\r\n", 80, "http", "nginx|1.22.1", ""},
	{"apache", "HTTP/1.1 301 Moved\r\nserver: Apache/2.4.57 (Debian) OpenSSL/3.0.11 mod_fcgid/2.3.9\r\nX-Powered-By: PHP/8.2.7\r\n\r\n", 80, "http", "Apache|2.4.57,OpenSSL|3.0.11,mod_fcgid|2.3.9,PHP|8.2.7", ""},
	{"express", "HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\n\r\n", 3000, "http", "Express|", ""},
	{"iis", "HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/10.0\r\nX-AspNet-Version: 4.0.30319\r\n\r\n", 80, "http", "Microsoft-IIS|10.0,ASP.NET|4.0.30319", ""},
	{"drupal", "HTTP/1.1 200 OK\r\nX-Generator: Drupal 10 (https://www.drupal.org)\r\n\r\n", 80, "http", "Drupal|10", ""},
	{"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", 22, "ssh", "OpenSSH|9.2p1 Debian-2+deb12u3", ""},
	{"dropbear", "SSH-2.0-dropbear_2022.83\r\n", 22, "ssh", "dropbear|2022.83", ""},
	{"proftpd", "220 ProFTPD 1.3.5 Server (Debian) [::ffff:10.0.0.1]\r\n", 21, "ftp", "ProFTPD|1.3.5", ""},
	{"vsftpd", "220 (vsFTPd 3.0.3)\r\n", 21, "ftp", "vsFTPd|3.0.3", ""},
	{"exim", "220 mail.example.org ESMTP Exim 4.96 Thu, 26 Nov 2026 07:00:00 +0000\r\n", 25, "smtp", "Exim|4.96", "mail.example.org"},
	{"postfix", "220 mx1.example.org ESMTP Postfix (Debian/GNU)\r\n", 25, "smtp", "Postfix|", "mx1.example.org"},
	{"pop3", "+OK Dovecot (Debian) ready.\r\n", 110, "pop3", "Dovecot|", ""},
	{"imap", "* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", 143, "imap", "Dovecot|", ""},
	{"mysql", "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00", 3306, "mysql", "MySQL|8.0.36", ""},
	{"mariadb", "\x5a\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\x00\x08", 3306, "mysql", "MariaDB|10.11.6-0+deb12u1", ""},
	{"postgres", "R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x2fserver_version\x0015.6 (Debian 15.6-0+deb12u1)\x00", 5432, "postgresql", "PostgreSQL|15.6 Debian 15.6-0+deb12u1", ""},
	{"redis", "$30\r\n# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n", 6379, "redis", "Redis|7.0.15", ""},
	{"mqtt", "\x20\x02\x00\x00", 1883, "mqtt", "", ""},
	{"vnc", "RFB 003.008\n", 5900, "vnc", "", ""},
	{"amqp", "\x01\x00\x00\x00\x00\x00\x40\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x30\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x073.10.8\x00", 5672, "amqp", "RabbitMQ|3.10.8", ""},
	{"http2", "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", 80, "http2", "", ""},
	{"hostile", "HTTP/1.1 200 OK\r\nServer: <script>\x1b[2J\xff\u202e/1\r\n\r\n", 80, "http", "", ""},
	{"nothing known", "hello there, who are you?\n", 9999, "", "", ""},
}

func TestIdentify(t *testing.T) {
	for _, v := range said {
		f, _ := Identify(v.port, []byte(v.text))
		var got []string
		for _, s := range f.Software {
			got = append(got, s.Name+"|"+s.Version)
			if s.Evidence == "" {
				t.Errorf("%s: %s without evidence", v.name, s.Name)
			}
		}
		if f.Protocol != v.protocol || strings.Join(got, ",") != v.software || strings.Join(f.Names, ",") != v.names {
			t.Errorf("%s: %q, %q, %q; want %q, %q, %q", v.name, f.Protocol, got, f.Names, v.protocol, v.software, v.names)
		}
	}
}

// However the beginning is cut, the end of it tells the same.
func TestIdentifyInPieces(t *testing.T) {
	for _, v := range said {
		whole, _ := Identify(v.port, []byte(v.text))
		for n := 1; n < len(v.text); n++ {
			part, more := Identify(v.port, []byte(v.text[:n]))
			if !more && len(part.Software) < len(whole.Software) {
				t.Errorf("%s: %d bytes are said to tell all: %+v", v.name, n, part)
			}
			for i, s := range part.Software {
				if i < len(whole.Software) && s.Name != whole.Software[i].Name {
					t.Errorf("%s: %d bytes name %q", v.name, n, s.Name)
				}
			}
		}
	}
}

// TestTLS looks at handshakes of the standard library's server.
func TestTLS(t *testing.T) {
	for version, want := range map[uint16]string{tls.VersionTLS12: "tls 1.2", tls.VersionTLS13: "tls 1.3"} {
		srv := httptest.NewUnstartedServer(nil)
		srv.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
		srv.StartTLS()
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		client := tls.Client(recorded{c, io.TeeReader(c, &said)}, &tls.Config{InsecureSkipVerify: true})
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		f, _ := Identify(443, []byte(said.String()))
		if f.Protocol != want || version == tls.VersionTLS12 && !strings.Contains(strings.Join(f.Names, " "), "example.com") {
			t.Errorf("TLS %x: %+v; want %s and, up to 1.2, the certificate's names", version, f, want)
		}
		srv.Close()
	}
}

func FuzzIdentify(f *testing.F) {
	for _, v := range said {
		f.Add(v.port, []byte(v.text))
	}
	f.Add(uint16(443), []byte("\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, port uint16, b []byte) {
		found, _ := Identify(port, b)
		udp := UDP(port, port+2000, b)
		for _, x := range []Finding{found, udp} {
			for _, s := range x.Software {
				for _, text := range []string{s.Name, s.Version, s.Evidence} {
					if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b\n\u202e") {
						t.Errorf("kept %q", text)
					}
				}
			}
			for _, n := range x.Names {
				if len(n) > maxText || !utf8.ValidString(n) {
					t.Errorf("kept name %q", n)
				}
			}
		}
	})
}

// recorded is a connection of which a copy is kept.
type recorded struct {
	net.Conn
	from io.Reader
}

func (r recorded) Read(b []byte) (int, error) { return r.from.Read(b) }
