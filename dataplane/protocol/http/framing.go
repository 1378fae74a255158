package http

import "bytes"

// framing is how the end of a body is found (RFC 9112 section 6.3).
type framing uint8

const (
	noBody framing = iota
	byLength
	byChunks
	untilClose
	tunnel // no HTTP from here on, either way
)

// bodyFields are the framing fields of a head.
type bodyFields struct {
	length  int64 // -1: none
	codings int   // lines of Transfer-Encoding
	coding  []byte
}

func (h *head) bodyFields(b []byte, request bool) (bodyFields, fault) {
	r := bodyFields{length: -1}
	for i := range h.fields {
		f := &h.fields[i]
		v := cut(b, f.value)
		switch f.known {
		case contentLength:
			n, ok := lengthValue(v, request)
			switch {
			case !ok:
				return r, faultLength
			case r.length >= 0 && r.length != n:
				return r, faultLengths
			}
			r.length = n
		case transferEncoding:
			r.codings++
			r.coding = v
		}
	}
	return r, faultNone
}

// lengthValue reads a Content-Length. In a response a list of equal numbers is
// one number, as RFC 9110 section 8.6 lets a recipient read it.
func lengthValue(v []byte, request bool) (int64, bool) {
	if i := bytes.IndexByte(v, ','); i >= 0 && !request {
		_, end := trim(v, 0, i)
		start, _ := trim(v, i+1, len(v))
		n, ok := decimal(v[:end])
		rest, restOK := lengthValue(v[start:], request)
		return n, ok && restOK && n == rest
	}
	return decimal(v)
}

// requestFraming tells how the body of a request ends, and its length.
func (h *head) requestFraming(b []byte) (framing, int64, fault) {
	r, f := h.bodyFields(b, true)
	switch {
	case f != faultNone:
		return noBody, 0, f
	case r.codings > 1:
		return noBody, 0, faultCodings
	case r.codings == 1 && r.length >= 0:
		return noBody, 0, faultLengthAndCoding
	case r.codings == 1 && h.minor == 0:
		return noBody, 0, faultCoding10
	case r.codings == 1 && chunkedLast(r.coding):
		return byChunks, 0, faultNone
	case r.codings == 1:
		return noBody, 0, faultCoding
	case r.length > 0:
		return byLength, r.length, faultNone
	}
	return noBody, 0, faultNone
}

// responseFraming tells how the body of the response to a request ends.
func (h *head) responseFraming(b []byte, to *exchange) (framing, int64, fault) {
	r, f := h.bodyFields(b, false)
	switch s := h.status; {
	case s == 101:
		return tunnel, 0, h.switchFault(b, to)
	case to.connect && s/100 == 2 && s != 204 && s != 205 && f == faultNone && r.length < 0 && r.codings == 0:
		return tunnel, 0, faultNone
	case to.head, s/100 == 1, s == 204, s == 304:
		return noBody, 0, faultNone
	}
	switch {
	case f != faultNone:
		return noBody, 0, f
	case r.codings > 1:
		return noBody, 0, faultCodings
	case r.codings == 1 && h.minor == 0:
		return noBody, 0, faultCoding10
	case r.codings == 1 && chunkedLast(r.coding):
		return byChunks, 0, faultNone
	case r.codings == 1 || r.length < 0:
		return untilClose, 0, faultNone
	case r.length == 0:
		return noBody, 0, faultNone
	}
	return byLength, r.length, faultNone
}

// switchFault is what is wrong with a 101: all behind it would pass unseen, so it
// must be one that the client has asked for, to something that is not HTTP again.
func (h *head) switchFault(b []byte, to *exchange) fault {
	if !to.offers {
		return faultSwitch
	}
	for i := range h.fields {
		if h.fields[i].toHTTP2(b) {
			return faultHTTP2
		}
	}
	return faultNone
}

// chunkedLast says whether a list of transfer codings is in form and names
// chunked once, at its end.
func chunkedLast(v []byte) bool {
	for {
		i := bytes.IndexByte(v, ',')
		if i < 0 {
			return equalFold(v, "chunked")
		}
		_, end := trim(v, 0, i)
		if !isToken(v[:end]) || equalFold(v[:end], "chunked") {
			return false
		}
		start, _ := trim(v, i+1, len(v))
		v = v[start:]
	}
}
