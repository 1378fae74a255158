package http

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// coding is a content coding (RFC 9110 section 8.4.1).
type coding uint8

const (
	gzipped coding = iota
	deflated
	rawDeflated // what some senders mean by deflate
	brotlied
	zstandard
	unknownCoding
)

var codings = map[string]coding{
	"gzip": gzipped, "x-gzip": gzipped, "deflate": deflated, "br": brotlied, "zstd": zstandard,
}

// codingNames are what rules see of codings that were undone.
var codingNames = [...]string{gzipped: "gzip", deflated: "deflate", rawDeflated: "raw-deflate", brotlied: "br", zstandard: "zstd"}

// maxCodings bounds how many codings of one message are undone. Nobody applies
// more than one; some servers undo as many as are named.
const maxCodings = 4

// codings returns the content codings that a message names, in the order in
// which they are said to have been applied. Those that change nothing are left out.
func (h *head) codings(b []byte) []coding {
	var cs []coding
	for i := range h.fields {
		f := &h.fields[i]
		if f.known != contentEncoding {
			continue
		}
		for name := range bytes.SplitSeq(f.text(b), []byte(",")) {
			name = bytes.Trim(name, " \t")
			if len(name) == 0 || equalFold(name, "identity") {
				continue
			}
			c, known := codings[toLower(name)]
			if !known {
				c = unknownCoding
			}
			cs = append(cs, c)
		}
	}
	return cs
}

// coded says whether a message names a content coding.
func (h *head) coded(b []byte) bool { return len(h.codings(b)) > 0 }

// decoded is content of which a coding was undone.
type decoded struct {
	content []byte
	was     coding // which it was
	ok      bool   // the content was so coded, if not to its end
	sound   bool   // it was, to its end, and nothing stands behind
	long    bool   // what was coded is over the limit
}

// undo undoes a content coding. What is decoded of content that is damaged or
// cut off counts: servers that read as they decode use it, and some take what
// stands behind a compressed text for nothing.
func (c coding) undo(content []byte, limit int) decoded {
	var r io.Reader
	var err error
	in := bytes.NewReader(content)
	switch c {
	case gzipped:
		r, err = gzip.NewReader(in)
	case deflated:
		if r, err = zlib.NewReader(in); err != nil {
			in.Reset(content)
			c, r, err = rawDeflated, flate.NewReader(in), nil
		}
	case brotlied:
		brotlis <- struct{}{}
		defer func() { <-brotlis }()
		r = brotli.NewReader(in)
	case zstandard:
		return undoZstandard(content, limit)
	default:
		return decoded{}
	}
	if err != nil {
		return decoded{}
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	return decoded{plain, c, err == nil || len(plain) > 0, err == nil && in.Len() == 0, len(plain) > limit}
}

// ways is in how many ways apply codes, each with other octets.
const ways = 8

// apply codes content, in one way or another: it goes on as it came, to servers that
// undo the coding and to those that refuse it.
func (c coding) apply(plain []byte, way int) []byte {
	var b bytes.Buffer
	var w interface {
		io.WriteCloser
		Flush() error
	}
	switch c { // with options that are possible ones
	case gzipped:
		w = gzip.NewWriter(&b)
	case deflated:
		w = zlib.NewWriter(&b)
	case rawDeflated:
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	case brotlied:
		brotlis <- struct{}{}
		defer func() { <-brotlis }()
		w = brotli.NewWriterLevel(&b, brotli.BestSpeed)
	case zstandard:
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	n := len(plain) * way / ways
	w.Write(plain[:n]) // to memory, which takes it
	if way > 0 {
		w.Flush()
	}
	w.Write(plain[n:])
	w.Close()
	return b.Bytes()
}

// brotlis bounds how many contents in Brotli are coded and decoded at once: a few
// octets have a decoder make a buffer of 16 MB.
var brotlis = make(chan struct{}, 2)

// maxZstandardWindow is how far back content in Zstandard may refer: what servers
// take if nobody says otherwise. It costs no memory, for the content is shorter.
const maxZstandardWindow = 1 << 27

// maxZstandardBlock is how much is decoded at a time: with room for one more than the
// limit, content that is over it is seen to be.
const maxZstandardBlock = 128 << 10

func undoZstandard(content []byte, limit int) decoded {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxZstandardWindow), zstd.WithDecoderMaxMemory(maxZstandardWindow))
	if err != nil {
		return decoded{}
	}
	defer d.Close()
	plain, err := d.DecodeAll(content, make([]byte, 0, limit+maxZstandardBlock))
	return decoded{plain, zstandard, err == nil || len(plain) > 0, err == nil, len(plain) > limit || errors.Is(err, zstd.ErrDecoderSizeExceeded)}
}
