package http

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
)

// coding is a content coding (RFC 9110 section 8.4.1).
type coding uint8

const (
	identity coding = iota
	gzipped
	deflated
	unknownCoding
)

// coding returns what content coding a message has; more than one is none that
// we know.
func (h *head) coding(b []byte) coding {
	c := identity
	for i := range h.fields {
		f := &h.fields[i]
		if f.known != contentEncoding {
			continue
		}
		if c != identity {
			return unknownCoding
		}
		switch v := cut(b, f.value); {
		case equalFold(v, "gzip"), equalFold(v, "x-gzip"):
			c = gzipped
		case equalFold(v, "deflate"):
			c = deflated
		case equalFold(v, "identity"), len(v) == 0:
		default:
			return unknownCoding
		}
	}
	return c
}

// decode undoes a content coding. ok is false when the content is not so coded;
// long that it is over the limit. What is decoded of content that is damaged or
// cut off counts: servers that read as they decode use it, and some take what
// stands behind a compressed text for nothing.
func (c coding) decode(content []byte, limit int) (plain []byte, ok, long bool) {
	var r io.Reader
	var err error
	switch c {
	case gzipped:
		r, err = gzip.NewReader(bytes.NewReader(content))
	case deflated:
		if r, err = zlib.NewReader(bytes.NewReader(content)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(content)), nil // as some senders mean it
		}
	default:
		return nil, false, false
	}
	if err != nil {
		return nil, false, false
	}
	plain, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	return plain, err == nil || len(plain) > 0, len(plain) > limit
}
