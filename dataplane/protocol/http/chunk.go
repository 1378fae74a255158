package http

import "bytes"

// maxChunkLine bounds a chunk's size line with its extensions, in bytes. It is
// beyond what servers set for all extensions of a body, so that rules can tell.
const maxChunkLine = 32 << 10

type chunkState uint8

// A chunked body goes size, data, end, size, data, end, …, size (0), trailers.
const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd
	chunkTrailers
)

// chunkScan follows the framing of a chunked body (RFC 9112 section 7.1).
type chunkScan struct {
	state    chunkState
	left     int64 // in chunkData: bytes of it to come
	from     int   // of the line under way: looked at so far
	folds    int   // of the trailer under way: bytes of its whole lines, behind which a fold may come
	lenient  bool  // one of them ends in LF alone, in a request
	trailers int   // bytes of trailers so far
	count    int   // lines of the kind under way so far
	extended int   // bytes of extensions so far
	request  bool
	max      int // limit of trailers
}

// line takes one line of framing, which b begins with, a trailer with the lines
// that it is folded over. It returns the length, 0 while it is not whole; done
// says that it ended the body.
func (c *chunkScan) line(b []byte) (n int, done bool, f fault) {
	if c.state == chunkEnd {
		return c.dataEnd(b)
	}
	n, done, f, whole := c.scan(b)
	if !whole {
		return 0, false, f
	}
	c.from, c.folds, c.lenient = 0, 0, false
	return n, done, f
}

// scan is line; whole is false while more must come.
func (c *chunkScan) scan(b []byte) (n int, done bool, f fault, whole bool) {
	limit, long := c.lineLimit(), faultChunkLong
	if c.state == chunkTrailers {
		limit, long = c.max-c.trailers, faultTrailersLong
	}
	for {
		if c.folds > 0 && len(b) > c.folds && !isBlank(b[c.folds]) {
			c.trailers += c.folds
			if c.lenient {
				f = faultChunkLF
			}
			return c.folds, false, f, true
		}
		i := bytes.IndexByte(b[c.from:], '\n')
		if i < 0 {
			c.from = len(b)
			if len(b) > limit {
				return 0, false, long, true
			}
			return 0, false, faultNone, false
		}
		if n = c.from + i + 1; n > limit {
			return 0, false, long, true
		}
		text, f := c.text(b[c.folds : n-1])
		switch {
		case f != faultNone && f != faultChunkLF:
			return n, false, f, true
		case c.state == chunkSize:
			if bad := c.size(text); bad != faultNone {
				f = bad
			}
			return n, false, f, true
		case c.folds == 0 && len(text) == 0:
			c.trailers += n
			return n, true, f, true
		}
		if start, end := trim(text, 0, len(text)); start == end || c.folds == 0 && start > 0 {
			return n, false, faultBlankLine, true
		}
		c.from, c.folds, c.lenient = n, n, c.lenient || f != faultNone
	}
}

// lineLimit bounds a chunk's first line.
func (c *chunkScan) lineLimit() int {
	if c.max > 0 {
		return min(maxChunkLine, c.max)
	}
	return maxChunkLine
}

// text strips the CR of a line and refuses what recipients read differently.
func (c *chunkScan) text(b []byte) (text []byte, f fault) {
	if len(b) > 0 && b[len(b)-1] == '\r' {
		b = b[:len(b)-1]
	} else if c.request {
		f = faultChunkLF
	}
	if bytes.IndexByte(b, '\r') >= 0 {
		return nil, faultBareCR
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, faultNUL
	}
	return b, f
}

// size takes the text of a chunk's first line: its size, perhaps extensions.
func (c *chunkScan) size(text []byte) fault {
	if i := bytes.IndexByte(text, ';'); i >= 0 {
		_, end := trim(text[:i], 0, i)
		text = text[:end]
	} else if !c.request {
		_, end := trim(text, 0, len(text)) // old servers pad the size with blanks
		text = text[:end]
	}
	n, ok := hexadecimal(text)
	switch {
	case !ok:
		return faultChunkSize
	case n == 0:
		c.state = chunkTrailers
	default:
		c.state, c.left = chunkData, n
	}
	return faultNone
}

// dataEnd takes the CRLF behind the data of a chunk.
func (c *chunkScan) dataEnd(b []byte) (int, bool, fault) {
	const want = "\r\n"
	for i := range min(len(b), len(want)) {
		if b[i] != want[i] {
			return 0, false, faultChunkEnd
		}
	}
	if len(b) < len(want) {
		return 0, false, faultNone
	}
	c.state = chunkSize
	return len(want), false, faultNone
}

// data takes up to n bytes of the chunk's data and returns how many.
func (c *chunkScan) data(n int64) int64 {
	n = min(n, c.left)
	c.left -= n
	if c.left == 0 {
		c.state = chunkEnd
	}
	return n
}
