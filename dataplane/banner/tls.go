package banner

import (
	"crypto/x509"
	"encoding/binary"
)

// readTLS reads what a server says in the clear: its version, and up to 1.2 its
// certificate, whose names it has.
func readTLS(b []byte) (f Finding, more bool) {
	f.Protocol = "tls"
	messages, more := handshakes(b)
	for len(messages) >= 4 {
		n := int(messages[1])<<16 | int(binary.BigEndian.Uint16(messages[2:]))
		if len(messages) < 4+n {
			break
		}
		body := messages[4 : 4+n]
		switch messages[0] {
		case 2:
			v, last := helloVersion(body)
			if f.Protocol = "tls " + v; last {
				return f, false // what follows is encrypted
			}
		case 11:
			f.Names = certificateNames(body)
			return f, false
		}
		messages = messages[4+n:]
	}
	return f, more
}

// handshakes joins the handshake records at the beginning of b; more is whether
// another may follow.
func handshakes(b []byte) (all []byte, more bool) {
	for len(b) >= 5 && b[0] == 22 {
		n := int(binary.BigEndian.Uint16(b[3:]))
		if len(b) < 5+n {
			return append(all, b[5:]...), true
		}
		all = append(all, b[5:5+n]...)
		b = b[5+n:]
	}
	return all, len(b) < 5
}

// helloVersion is the version that a ServerHello chose; last says whether it is
// 1.3 or later, by the extension supported_versions.
func helloVersion(b []byte) (v string, last bool) {
	if len(b) < 35 {
		return "", true
	}
	v = versionOf(b[0], b[1])
	at := 35 + int(b[34]) + 3 // session, cipher suite, compression
	if len(b) < at+2 {
		return v, false
	}
	for b = b[at+2:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			break
		}
		if binary.BigEndian.Uint16(b) == 43 && n == 2 {
			return versionOf(b[4], b[5]), true
		}
		b = b[4+n:]
	}
	return v, false
}

// certificateNames are those of the first certificate of a chain.
func certificateNames(b []byte) (names []string) {
	if len(b) < 6 {
		return nil
	}
	n := int(b[3])<<16 | int(binary.BigEndian.Uint16(b[4:]))
	if len(b) < 6+n {
		return nil
	}
	c, err := x509.ParseCertificate(b[6 : 6+n])
	if err != nil {
		return nil
	}
	for _, name := range append([]string{c.Subject.CommonName}, c.DNSNames...) {
		if name = plain(name); name != "" && len(names) < MaxNames {
			names = append(names, name)
		}
	}
	return names
}
