package banner

import (
	"bytes"
	"strings"
)

// headers that name software.
var headers = map[string]bool{"server": true, "x-powered-by": true, "x-aspnet-version": true, "x-generator": true, "user-agent": true}

// readHTTP reads the head of a response, also of SIP and RTSP.
func readHTTP(b []byte) (f Finding, more bool) {
	head, _, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	for _, l := range strings.Split(string(head), "\r\n") {
		k, v, ok := strings.Cut(l, ":")
		if !ok || !headers[strings.ToLower(k)] {
			continue
		}
		v = strings.TrimSpace(v)
		switch {
		case strings.EqualFold(k, "x-aspnet-version"):
			f.Software = append(f.Software, named("ASP.NET", v, k, v))
		case strings.EqualFold(k, "x-generator"):
			name, version := lastVersion(v)
			f.Software = append(f.Software, named(name, version, k, v))
		default:
			f.Software = append(f.Software, products(v, k)...)
		}
		if !whole && strings.HasSuffix(string(head), v) {
			f.Software = nil // the line may go on
		}
	}
	return f, !whole
}

// products reads "Apache/2.4.57 (Debian) PHP/8.2.7", a list of products with
// comments (RFC 9110, 10.2.4). A comment after a product is its build.
func products(v, where string) (all []Software) {
	rest := v
	for rest != "" && len(all) < MaxSoftware {
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "(") {
			_, after, _ := strings.Cut(rest, ")")
			rest = after
			continue
		}
		word, after, _ := strings.Cut(rest, " ")
		rest = after
		name, version, _ := strings.Cut(word, "/")
		if !isName(name) {
			continue
		}
		all = append(all, named(name, version, where, v))
	}
	return all
}

func isName(s string) bool {
	return s != "" && (s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z')
}

// readSSH reads "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3" (RFC 4253, 4.2). What
// follows the version is the distribution's revision: it tells whether a fix was
// taken back into an old version.
func readSSH(b []byte) (f Finding, more bool) {
	l, whole := line(b)
	if !whole {
		return f, len(b) < 256
	}
	_, software, _ := strings.Cut(strings.TrimPrefix(l, "SSH-"), "-")
	software, revision, _ := strings.Cut(software, " ")
	name, version, _ := strings.Cut(software, "_")
	if revision != "" && version != "" {
		version += " " + revision
	}
	if name != "" {
		f.Software = []Software{named(name, version, "greeting", l)}
	}
	return f, false
}

// read220 tells mail from file servers, which greet with the same number.
func read220(b []byte) (f Finding, more bool) {
	l, whole := line(b)
	if !whole {
		return f, len(b) < 1024
	}
	text := strings.TrimLeft(l[3:], " -")
	f.Protocol = "ftp"
	if up := strings.ToUpper(text); strings.Contains(up, "SMTP") || strings.Contains(up, "MAIL") && !strings.Contains(up, "FTP") {
		f.Protocol = "smtp"
		if name, _, _ := strings.Cut(text, " "); strings.Contains(name, ".") {
			f.Names = []string{plain(name)}
		}
	}
	f.Software = greeted(text, l)
	return f, false
}

func readGreeting(b []byte) (f Finding, more bool) {
	l, whole := line(b)
	if !whole {
		return f, len(b) < 1024
	}
	f.Software = greeted(l, l)
	return f, false
}

// known are servers of greetings, as they name themselves.
var known = []string{"ProFTPD", "vsFTPd", "Pure-FTPd", "FileZilla Server", "Serv-U", "Microsoft FTP Service", "GNU FTP server", "pyftpdlib",
	"Postfix", "Exim", "Sendmail", "Microsoft ESMTP MAIL Service", "OpenSMTPD", "Haraka", "MailEnable", "Dovecot", "Courier", "Cyrus", "Zimbra", "hMailServer"}

func greeted(text, l string) []Software {
	for _, name := range known {
		i := strings.Index(strings.ToLower(text), strings.ToLower(name))
		if i < 0 {
			continue
		}
		version := ""
		rest := strings.FieldsFunc(text[i+len(name):], func(r rune) bool { return strings.ContainsRune(" ()[],;:/-", r) })
		for _, w := range rest[:min(3, len(rest))] {
			if w = strings.TrimPrefix(strings.ToLower(w), "v"); isVersion(w) {
				version = w
				break
			}
		}
		return []Software{named(name, version, "greeting", l)}
	}
	return nil
}

func isVersion(w string) bool {
	return w != "" && w[0] >= '0' && w[0] <= '9' && strings.Contains(w, ".")
}

// lastVersion cuts "Drupal 10.1 (https://…)" into name and version.
func lastVersion(v string) (name, version string) {
	words := strings.Fields(v)
	for i, w := range words {
		if i > 0 && w[0] >= '0' && w[0] <= '9' {
			return strings.Join(words[:i], " "), strings.TrimRight(w, ";,")
		}
	}
	return v, ""
}
