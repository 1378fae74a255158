package websocket

// counter reads a DEFLATE stream (RFC 1951) in parts and counts what it inflates
// to. It keeps none of that: what a match repeats is counted, not looked up. Where
// inflaters differ it reads on like the most lenient, so that it counts at least as
// much as any. The zero value is at the beginning of a block.
type counter struct {
	total  int64 // octets inflated so far
	broken bool  // no inflater reads on
	// endless: a block has no code for its end, which some inflaters refuse.
	endless bool
	place
	stored int // octets to come of a stored block

	lens      [288 + 32]uint8
	at        int // lens read so far
	nlit, all int // lens of literals, and with those of distances
	ncodes    int
	fixed     bool // the block's codes are those of section 3.2.6
	lit, dist huffman

	fed  int64 // octets
	safe place // the last one in fed at which spoiling was possible without the codes of a block
	has  bool  // there is one since forget
}

// place is where a counter stands, as far as it does not depend on a block's codes.
type place struct {
	mode  mode
	final bool   // the block is the stream's last
	ended bool   // a last block has ended, nothing has come behind it
	ahead uint64 // bits that came and are not used yet, the first lowest
	n     uint   // how many
	used  uint   // bits used of an octet, where n ends at one
	octet int64  // octets fed up to here, where that is of interest
}

type mode uint8

const (
	atBlock   mode = iota // a block's header comes
	atStored              // the lengths of a stored block
	inStored              // its octets
	atCodes               // the numbers of codes
	inCodes               // the code of their lengths
	inLengths             // their lengths
	inBlock               // symbols
	atEnd                 // the rest of the last block's last octet
)

// feed reads the next octets.
func (c *counter) feed(b []byte) {
	for len(b) > 0 && !c.broken {
		if c.mode == inStored && c.n == 0 {
			k := min(c.stored, len(b))
			c.total += int64(k)
			c.fed += int64(k)
			b = b[k:]
			if c.stored -= k; c.stored == 0 {
				c.endBlock()
			}
			continue
		}
		for len(b) > 0 && c.n <= 56 {
			c.ahead |= uint64(b[0]) << c.n
			c.n += 8
			c.fed++
			b = b[1:]
		}
		c.run()
	}
}

func (c *counter) drop(k uint) uint64 {
	v := c.ahead & (1<<k - 1)
	c.ahead >>= k
	c.n -= k
	c.used = (c.used + k) & 7
	return v
}

// padding is what is left of the octet that is being read, in bits.
func (c *counter) padding() uint { return -c.used & 7 }

// run uses what came as far as it goes.
func (c *counter) run() {
	for !c.broken && c.step() {
	}
}

// step reads one unit; false: it is not there whole.
func (c *counter) step() bool {
	switch c.mode {
	case atBlock:
		if c.n < 3 {
			return false
		}
		c.ended = false
		c.final = c.drop(1) == 1
		switch c.drop(2) {
		case 0:
			c.mode = atStored
			c.mark()
		case 1:
			c.mode, c.fixed = inBlock, true
		case 2:
			c.mode = atCodes
			c.mark()
		default:
			c.broken = true
		}
	case atStored:
		pad := c.padding()
		if c.n < pad+32 {
			return false
		}
		c.drop(pad)
		size := c.drop(16)
		if c.drop(16) != size^0xffff {
			c.broken = true
			return false
		}
		c.mode, c.stored = inStored, int(size)
		if size == 0 {
			c.endBlock()
		}
	case inStored:
		if c.n < 8 {
			return false
		}
		c.drop(8)
		c.total++
		if c.stored--; c.stored == 0 {
			c.endBlock()
		}
	case atCodes:
		if c.n < 14 {
			return false
		}
		c.nlit = int(c.drop(5)) + 257
		c.all = c.nlit + int(c.drop(5)) + 1
		c.ncodes = int(c.drop(4)) + 4
		c.broken = c.nlit > 286
		c.mode, c.at, c.lens = inCodes, 0, [288 + 32]uint8{}
	case inCodes:
		if c.n < 3 {
			return false
		}
		c.lens[codeOrder[c.at]] = uint8(c.drop(3))
		if c.at++; c.at == c.ncodes {
			c.broken = !c.lit.build(c.lens[:19])
			c.mode, c.at = inLengths, 0
		}
	case inLengths:
		return c.stepLength()
	case inBlock:
		return c.stepSymbol()
	case atEnd:
		if c.n < c.padding() {
			return false
		}
		c.drop(c.padding())
		c.mode, c.ended = atBlock, true
	}
	return true
}

// codeOrder is the order in which the code of the lengths comes (section 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (c *counter) stepLength() bool {
	symbol, k, ok := c.lit.next(c.ahead, c.n)
	if !ok {
		return false
	}
	var value uint8
	extra, times := uint(0), 1
	switch symbol {
	case none16:
		c.broken = true
		return false
	case 16:
		if c.at == 0 {
			c.broken = true
			return false
		}
		value, extra, times = c.lens[c.at-1], 2, 3
	case 17:
		extra, times = 3, 3
	case 18:
		extra, times = 7, 11
	default:
		value = uint8(symbol)
	}
	if c.n < k+extra {
		return false
	}
	c.drop(k)
	times += int(c.drop(extra))
	if c.at+times > c.all {
		c.broken = true
		return false
	}
	for range times {
		c.lens[c.at] = value
		c.at++
	}
	if c.at == c.all {
		c.broken = !c.lit.build(c.lens[:c.nlit]) || !c.dist.build(c.lens[c.nlit:c.all])
		c.endless = c.endless || c.lens[endOfBlock] == 0
		c.mode, c.fixed = inBlock, false
	}
	return true
}

const (
	endOfBlock = 256
	// unused is a code of section 3.2.6 that stands for nothing.
	unused = 286
)

// codes are those of the block.
func (c *counter) codes() (lit, dist *huffman) {
	if c.fixed {
		return &fixedLit, &fixedDist
	}
	return &c.lit, &c.dist
}

func (c *counter) stepSymbol() bool {
	lit, dist := c.codes()
	symbol, k, ok := lit.next(c.ahead, c.n)
	switch {
	case !ok:
		return false
	case symbol < endOfBlock:
		c.drop(k)
		c.total++
		return true
	case symbol == endOfBlock:
		c.drop(k)
		c.endBlock()
		return true
	case symbol >= unused:
		c.broken = true
		return false
	}
	extra, length := uint(0), int64(258)
	switch i := uint(symbol) - 257; {
	case i < 8:
		length = int64(i) + 3
	case i < 28:
		extra = i>>2 - 1
		length = int64(4+i&3)<<extra + 3
	}
	if c.n < k+extra {
		return false
	}
	length += int64(c.ahead >> k & (1<<extra - 1))
	d, dk, ok := dist.next(c.ahead>>(k+extra), c.n-k-extra)
	switch {
	case !ok:
		return false
	case d >= 30:
		c.broken = true
		return false
	case d >= 4:
		extra += uint(d)>>1 - 1
	}
	if c.n < k+dk+extra {
		return false
	}
	c.drop(k + dk + extra)
	c.total += length
	return true
}

func (c *counter) endBlock() {
	c.mode = atBlock
	if c.final {
		c.mode = atEnd
		c.step()
	}
}

// mark keeps where the block begins whose lengths or codes come next: what follows
// can be made invalid from the octet on that comes behind.
func (c *counter) mark() {
	c.has, c.safe = true, c.place
	back := c.n &^ 7
	c.safe.n -= back
	c.safe.ahead &= 1<<c.safe.n - 1
	c.safe.octet = c.fed - int64(back/8)
}

// forget begins to count octets anew.
func (c *counter) forget() { c.fed, c.has = 0, false }

// safeCost is cost for the safe place, where there is one.
func (c *counter) safeCost() (octets int64, ok bool) { return most, c.has }

// back goes to the safe place; what was counted from there on is not taken back.
func (c *counter) back() counter {
	return counter{place: c.safe}
}

// rest finishes a message: sync is read, and the counter stands at the beginning of
// a block, else ok is false.
func (c *counter) rest() (ok bool) {
	if c.ended && c.n == 0 {
		return true
	}
	c.feed(sync)
	return c.mode == atBlock && c.n == 0
}

// most takes a symbol of 48 bits, the end of a block, and a header that is none; or
// a header with impossible codes. In octets.
const most = 16

// cost is how many octets it takes at most to make invalid what follows; false:
// that cannot be said.
func (c *counter) cost() (octets int64, ok bool) {
	switch c.mode {
	case inCodes, inLengths:
		return 0, false
	case inStored:
		return int64(c.stored) + most, !c.final
	case inBlock:
		return most, c.fixed || !c.final
	case atStored, atCodes:
		return most, !c.final // as long as it can be held, what comes will have to be
	}
	return most, true
}

// spoil writes octets, at most limit of them, with which what follows is invalid
// for every inflater.
func (c *counter) spoil(limit int64) (out []byte, ok bool) {
	s := *c
	for i := int64(0); !s.broken; i++ {
		if i >= limit*8 || s.mode == atEnd || s.ended && s.mode == atBlock {
			return nil, false // behind the end it would not be read
		}
		bit := s.wrong()
		if i&7 == 0 {
			out = append(out, 0)
		}
		out[len(out)-1] |= byte(bit) << (i & 7)
		s.ahead |= bit << s.n
		s.n++
		s.run()
	}
	return out, true
}

// wrong is the next bit on the shortest way to what is invalid.
func (c *counter) wrong() uint64 {
	switch c.mode {
	case atBlock:
		return 1 // type 3
	case atStored:
		if pad := c.padding(); c.n == pad+31 {
			return c.ahead >> (pad + 15) & 1 // not the complement
		}
	case inCodes:
		if c.n == 0 {
			return 1 // too many codes of one bit
		}
	case inBlock:
		symbol := endOfBlock
		if c.fixed {
			symbol = unused
		}
		lit, _ := c.codes()
		code, k := lit.code(symbol)
		if c.n < k && (code^c.ahead)&(1<<c.n-1) == 0 {
			return code >> c.n & 1
		}
	}
	return 0
}
