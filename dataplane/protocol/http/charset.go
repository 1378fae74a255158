package http

import (
	"strings"

	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/session"
)

// contentFault says what of a request's Content-Type keeps rules from seeing its
// body as the server does.
func (h *head) contentFault(b []byte) fault {
	whole, found := "", false
	for i := range h.fields {
		f := &h.fields[i]
		if f.known != contentType {
			continue
		}
		text := string(f.text(b))
		if found && text != whole {
			return faultTypes
		}
		whole, found = text, true
	}
	if formtext.Boundary(whole) != "" && !formtext.OneBoundary(whole) {
		return faultTypes
	}
	for _, name := range formtext.Values(whole, "charset") {
		if foreign(name) {
			return faultCharset
		}
	}
	return faultNone
}

// bodyFault says what keeps rules from seeing the held body of a request as the
// server does.
func (h *half) bodyFault(head []byte) fault {
	if h.dir != session.ToServer {
		return faultNone
	}
	media, whole := h.head.contentType(head)
	for i := -1; i < len(h.hold.others); i++ {
		r := &h.hold.reading
		if i >= 0 {
			r = &h.hold.others[i]
		}
		switch {
		case r.want&wantText != 0 && wide(media, r.value):
			return faultCharset
		case r.want&wantParts != 0 && namedTwice(r.value, formtext.Boundary(whole)):
			return faultPart
		}
	}
	return faultNone
}

// foreign says whether a charset is one that servers know and in which ASCII
// characters are not their own octets: those of two and four octets, EBCDIC under
// its many names, and those that switch.
func foreign(name string) bool {
	name = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	for _, part := range []string{"utf16", "utf32", "utf7", "ucs", "unicode", "ibm", "ebcdic", "iso2022", "iso10646", "scsu", "bocu", "compoundtext", "hzgb"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	number := strings.TrimLeft(strings.TrimPrefix(name, "cp"), "0")
	if name == "" || strings.Trim(number, "0123456789") != "" {
		return false
	}
	switch { // code pages of DOS and Windows
	case len(number) == 4 && strings.HasPrefix(number, "125"), number == "437", number == "737", number == "775",
		len(number) == 3 && (number[:2] == "85" || number[:2] == "86"), number == "874", number == "932", number == "936", number == "949", number == "950":
		return false
	}
	return true
}

// widest is how many octets one character has at the most.
const widest = 4

// wide says whether a text that is to be JSON or XML is written in UTF-16, UTF-32
// or EBCDIC, which their parsers find out by its first octets.
func wide(media, text string) bool {
	if len(text) < widest || strings.HasPrefix(media, "application/grpc") {
		return false
	}
	start := text[:widest]
	named := strings.Contains(media, "json") || strings.Contains(media, "xml")
	switch {
	case start[1] == 0 && strings.IndexByte("{[<", start[0]) >= 0:
		return true
	case !named:
		return false
	}
	return strings.HasPrefix(start, "\xfe\xff") || strings.HasPrefix(start, "\xff\xfe") || strings.IndexByte(start, 0) >= 0 ||
		start == "\x4c\x6f\xa7\x94" && strings.Contains(media, "xml")
}
