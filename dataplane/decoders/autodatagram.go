package decoders

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/mssql"
	"wirepatch/dataplane/session"
)

// autoDatagrams is the decoder of Auto over UDP. The first datagram that tells
// chooses; those that tell nothing are as what cannot be decoded.
func (s Set) autoDatagrams(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
	return &datagramRecogniser{set: s, rules: r, conn: c, o: o}
}

type datagramRecogniser struct {
	set    Set
	rules  protocol.Rules
	conn   protocol.Conn
	o      Options
	chosen session.DatagramInspector
}

// Datagram implements session.DatagramInspector.
func (a *datagramRecogniser) Datagram(dir session.Direction, payload []byte) session.DatagramVerdict {
	if a.chosen != nil {
		return a.chosen.Datagram(dir, payload)
	}
	if len(payload) == 0 {
		return session.DatagramVerdict{}
	}
	name := datagramStart(dir, payload)
	if name == "" {
		name, _ = a.set.orDescribed(unknown, dir, payload, true)
	}
	d, ok := a.set[name]
	if !ok {
		return session.DatagramVerdict{Undecodable: "it is of no protocol that is known here"}
	}
	a.chosen = d.NewDatagram(a.rules, a.conn, a.o)
	return a.chosen.Datagram(dir, payload)
}

// datagramStart tells what a datagram is by its form alone, "" when it is nothing
// known. DNS goes before the others, whose first octets can be an identifier of its.
func datagramStart(dir session.Direction, b []byte) string {
	switch {
	case len(b) >= 13 && b[0] >= 20 && b[0] <= 26 && b[1] == 0xfe && (b[2] == 0xff || b[2] == 0xfd):
		return "dtls"
	case dnsMessage(dir, b):
		return "dns"
	case dir == session.ToServer && tftpRequest(b):
		return "tftp"
	case dir == session.ToServer && mssqlRequest(b), dir == session.ToClient && len(b) >= 3 && b[0] == 5 && int(binary.LittleEndian.Uint16(b[1:])) == len(b)-3:
		return mssql.Name
	}
	return ""
}

// dnsMessage says whether b begins as a message of DNS with one question does.
func dnsMessage(dir session.Direction, b []byte) bool {
	if len(b) < 17 || (b[2]&0x80 != 0) != (dir == session.ToClient) || b[3]&0x40 != 0 || b[4] != 0 || b[5] != 1 {
		return false
	}
	if opcode := b[2] >> 3 & 15; opcode == 3 || opcode > 5 {
		return false
	}
	at := 12
	for at < len(b) && b[at] != 0 {
		if b[at] > 63 {
			return false
		}
		at += 1 + int(b[at])
	}
	return at-12 < 255 && at+5 <= len(b)
}

// dnsStreamStart is dnsMessage behind the length that it has over TCP.
func dnsStreamStart(b []byte) (string, answer) {
	if len(b) < 2 {
		return "", perhaps
	}
	size := int(binary.BigEndian.Uint16(b))
	switch {
	case size < 17:
		return "", unknown
	case len(b) < 2+size:
		return "", perhaps
	case dnsMessage(session.ToServer, b[2:2+size]):
		return "dns", certain
	}
	return "", unknown
}

func tftpRequest(b []byte) bool {
	if len(b) < 6 || b[0] != 0 || b[1] != 1 && b[1] != 2 {
		return false
	}
	words := bytes.Split(b[2:], []byte{0})
	return len(words) >= 3 && slices.Contains([]string{"netascii", "octet", "mail"}, strings.ToLower(string(words[1])))
}

// mssqlRequest says whether b is a question for instances. What follows the name of
// one is not looked at: that is where the flaws are.
func mssqlRequest(b []byte) bool {
	switch b[0] {
	case 2, 3:
		return len(b) == 1
	case 4:
		return len(b) > 1
	case 15:
		return len(b) > 2 && b[1] == 1
	}
	return false
}

// orDescribed asks the described protocols, in the order of their names, where told
// is not certain: what they begin with, or a beginning of that.
func (s Set) orDescribed(told answer, dir session.Direction, data []byte, datagram bool) (string, answer) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		d := s[name]
		if datagram && d.NewDatagram == nil || !datagram && d.New == nil {
			continue
		}
		for _, begin := range d.Begins[dir] {
			switch {
			case bytes.HasPrefix(data, []byte(begin)):
				return name, certain
			case strings.HasPrefix(begin, string(data)):
				told = perhaps
			}
		}
	}
	return "", told
}
