package http

import (
	"bytes"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
)

// reasons are the standard reason phrases of RFC 9110 section 15 and RFC 6585.
var reasons = map[int]string{
	100: "Continue", 102: "Processing", 103: "Early Hints",
	200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 205: "Reset Content", 206: "Partial Content",
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
	307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
	411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
	415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed",
	421: "Misdirected Request", 422: "Unprocessable Content", 426: "Upgrade Required",
	428: "Precondition Required", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}

// makeReply writes a reply in valid form. head: it answers HEAD and so has no
// body; end: the session ends behind it. note says what had to be left out.
func makeReply(r *protocol.Reply, head, end bool) (reply []byte, note string) {
	if r.Raw != "" || r.Status == 0 {
		return rawReply(r.Raw, head), ""
	}
	var b bytes.Buffer
	status := r.Status
	if status < 200 || status > 999 {
		note, status = "reply status is not a final one, 403 used", 403
	}
	reason := r.Reason
	if reason == "" || !clean(reason) {
		reason = reasons[status]
	}
	version := "HTTP/1.1"
	switch r.Version {
	case "HTTP/1.0":
		version = r.Version
	case "", version:
	default:
		note = "reply version " + strconv.Quote(r.Version) + " is none, HTTP/1.1 used"
	}
	b.WriteString(version + " " + strconv.Itoa(status) + " " + reason + "\r\n")
	if left := writeFields(&b, r, status, end); left != "" {
		note = left
	}
	b.WriteString("\r\n")
	switch {
	case head, bodyless(status):
	case replyFraming(r, status) == protocol.FramedByChunks:
		if r.Body != "" {
			b.WriteString(strconv.FormatInt(int64(len(r.Body)), 16) + "\r\n" + r.Body + "\r\n")
		}
		b.WriteString("0\r\n\r\n")
	default:
		b.WriteString(r.Body)
	}
	return b.Bytes(), note
}

// writeFields writes the fields of a reply, and those that frame it.
func writeFields(b *bytes.Buffer, r *protocol.Reply, status int, end bool) (note string) {
	by := replyFraming(r, status)
	framed := by == protocol.FramedByClose || bodyless(status)
	connectionSaid := false
	for _, f := range r.Headers {
		k := knownName(f[0])
		chunks := k == transferEncoding && by == protocol.FramedByChunks && !framed && f[1] == "chunked"
		if !isToken(f[0]) || !clean(f[1]) || k == transferEncoding && !chunks || k == contentLength && (framed || by == protocol.FramedByChunks) {
			note = "reply field " + strconv.Quote(f[0]) + " left out: not in form, or framing"
			continue
		}
		if k == contentLength && f[1] != strconv.Itoa(len(r.Body)) {
			note = "reply Content-Length put right"
			continue
		}
		framed = framed || k == contentLength || chunks
		connectionSaid = connectionSaid || k == connection && listHas([]byte(f[1]), "close")
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	switch {
	case framed:
	case by == protocol.FramedByChunks:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	default:
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n")
	}
	if end && !connectionSaid {
		b.WriteString("Connection: close\r\n")
	}
	return note
}

// replyFraming says how the body of a reply ends.
func replyFraming(r *protocol.Reply, status int) string {
	switch {
	case r.Raw != "" || r.Framing == "" || bodyless(status) && r.Framing == protocol.FramedByChunks:
		return protocol.FramedByLength
	case r.Framing == protocol.FramedByChunks && r.Version == "HTTP/1.0":
		return protocol.FramedByClose
	}
	return r.Framing
}

// makeInterim writes an interim reply; note says why it cannot be one.
func makeInterim(r *protocol.Reply) (reply []byte, note string) {
	switch {
	case r.Raw != "":
		return []byte(r.Raw), ""
	case r.Status < 100 || r.Status > 199 || r.Status == 101:
		return nil, "refused: not the status of an interim reply"
	case !clean(r.Reason):
		return nil, "refused: reason phrase out of form"
	}
	var b bytes.Buffer
	reason := r.Reason
	if reason == "" {
		reason = reasons[r.Status]
	}
	b.WriteString("HTTP/1.1 " + strconv.Itoa(r.Status) + " " + reason + "\r\n")
	for _, f := range r.Headers {
		if !isToken(f[0]) || !clean(f[1]) {
			return nil, "refused: reply field " + strconv.Quote(f[0]) + " out of form"
		}
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes(), ""
}

// bodyless says whether responses of this status never have a body.
func bodyless(status int) bool { return status/100 == 1 || status == 204 || status == 304 }

// clean says whether s can stand in a field or a reason phrase: no line ends,
// no NUL.
func clean(s string) bool { return !strings.ContainsAny(s, "\r\n\x00") }

// rawReply is a reply given byte for byte, without its body for HEAD.
func rawReply(raw string, head bool) []byte {
	if i := strings.Index(raw, "\r\n\r\n"); head && i >= 0 {
		raw = raw[:i+4]
	}
	return []byte(raw)
}
