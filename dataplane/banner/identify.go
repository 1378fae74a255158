// Package banner reads the beginning of what a server says: which protocol it
// speaks, and which product and version it names. It is hearsay, kept as text
// that can be printed, and bounded.
package banner

import (
	"bytes"
	"strings"
	"time"
	"unicode"
)

// Finding is what the beginning of a session tells.
type Finding struct {
	Protocol string
	Names    []string // of the server, by itself
	Software []Software
}

// Software is a product that a server named.
type Software struct {
	Name, Version string
	Evidence      string    // where it was named, and the text
	Seen          time.Time // set by whoever keeps it
}

// Bounds of what is read.
const (
	MaxSaid     = 8192 // bytes of what a server says
	MaxSoftware = 8    // products of one service
	MaxNames    = 8
)

// speech is one protocol by what its server says first. It returns more when
// further bytes may tell more.
type speech struct {
	protocol string
	begins   func(port uint16, b []byte) bool
	read     func(b []byte) (f Finding, more bool)
}

func prefix(texts ...string) func(uint16, []byte) bool {
	return func(_ uint16, b []byte) bool {
		for _, t := range texts {
			if bytes.HasPrefix(b, []byte(t)) {
				return true
			}
		}
		return false
	}
}

var speeches = []speech{
	{"http", prefix("HTTP/1."), readHTTP},
	{"ssh", prefix("SSH-"), readSSH},
	{"tls", prefix("\x16\x03", "\x15\x03"), readTLS},
	{"", prefix("220 ", "220-"), read220},
	{"pop3", prefix("+OK "), readGreeting},
	{"imap", prefix("* OK"), readGreeting},
	{"vnc", prefix("RFB 0"), nil},
	{"sip", prefix("SIP/2.0"), readHTTP},
	{"rtsp", prefix("RTSP/1."), readHTTP},
	{"mysql", isMySQL, readMySQL},
	{"amqp", isAMQP, readAMQP},
	{"redis", isRedis, readRedis},
	{"postgresql", isPostgres, readPostgres},
	{"mqtt", isMQTT, nil},
	{"http2", func(_ uint16, b []byte) bool {
		return len(b) >= 9 && b[0] == 0 && b[3] == 4 && b[5]|b[6]|b[7]|b[8] == 0
	}, nil},
	{"rdp", func(_ uint16, b []byte) bool { return len(b) >= 7 && b[0] == 3 && b[1] == 0 && b[5] == 0xd0 }, nil},
	{"smb", func(_ uint16, b []byte) bool {
		return len(b) >= 8 && b[0] == 0 && (string(b[4:8]) == "\xfeSMB" || string(b[4:8]) == "\xffSMB")
	}, nil},
}

// Identify reads the beginning of what the server at port says in a session;
// more is whether it may tell more with more of it.
func Identify(port uint16, b []byte) (f Finding, more bool) {
	for _, s := range speeches {
		if !s.begins(port, b) {
			continue
		}
		if s.read != nil {
			f, more = s.read(b)
		}
		if f.Protocol == "" {
			f.Protocol = s.protocol
		}
		return f, more
	}
	return f, len(b) < 16
}

// UDP tells answers of servers from what clients send from such ports.
func UDP(server, client uint16, b []byte) (f Finding) {
	switch {
	case server == 53 && len(b) >= 12 && b[2]&0x80 != 0:
		f.Protocol = "dns"
	case server == 123 && len(b) >= 48 && b[0]&7 == 4:
		f.Protocol = "ntp"
	case server == 161 && client >= 1024 && len(b) > 2 && b[0] == 0x30:
		f.Protocol = "snmp"
	case server == 5060 && bytes.HasPrefix(b, []byte("SIP/2.0")):
		f, _ = readHTTP(b)
		f.Protocol = "sip"
	case server == 443 && client >= 1024 && len(b) > 20 && b[0]&0xc0 != 0:
		f.Protocol = "quic"
	case server == 5683 && client >= 1024 && len(b) >= 4 && b[0]>>6 == 1:
		f.Protocol = "coap"
	case server == 500 && len(b) >= 28:
		f.Protocol = "ike"
	case (server == 1812 || server == 1813) && len(b) >= 20 && (b[0] == 2 || b[0] == 3 || b[0] == 5 || b[0] == 11):
		f.Protocol = "radius"
	case server == 3478 && len(b) >= 20 && b[0] == 1:
		f.Protocol = "stun"
	}
	return f
}

// maxText bounds every text that is kept.
const maxText = 160

// plain keeps what can be printed of text from the wire.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.TrimSpace(s)
	for len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// named is a finding of one product, by a line that it said.
func named(name, version, where, line string) Software {
	return Software{Name: plain(name), Version: plain(version), Evidence: plain(where + ": " + line)}
}

// line is the first line of b; whole says whether its end is there.
func line(b []byte) (text string, whole bool) {
	l, _, whole := bytes.Cut(b, []byte("\n"))
	return string(bytes.TrimRight(l, "\r")), whole
}
