package websocket

import "math/bits"

// huffman is a code of section 3.2.2.
type huffman struct {
	count  [16]uint16  // codes by length
	symbol [288]uint16 // in the order of their codes
	fast   [512]uint16 // by the next bits, where the code is short: symbol<<4 | length
}

// none16 says that bits are no code.
const none16 = 0xffff

// build makes the code of the lengths; false: there are more codes than fit.
func (h *huffman) build(lens []uint8) bool {
	*h = huffman{}
	for _, l := range lens {
		h.count[l]++
	}
	h.count[0] = 0
	var offset, code [16]uint16
	left := 1
	for l := 1; l < 16; l++ {
		if left = left<<1 - int(h.count[l]); left < 0 {
			return false
		}
		offset[l] = offset[l-1] + h.count[l-1]
		code[l] = (code[l-1] + h.count[l-1]) << 1
	}
	for i, l := range lens {
		if l == 0 {
			continue
		}
		h.symbol[offset[l]] = uint16(i)
		offset[l]++
		if l <= 9 {
			for at := int(bits.Reverse16(code[l]) >> (16 - l)); at < len(h.fast); at += 1 << l {
				h.fast[at] = uint16(i)<<4 | uint16(l)
			}
		}
		code[l]++
	}
	return true
}

// next reads the code that the n bits ahead begin with: its symbol, none16 where
// there is no such code, and its length; false: it is not there whole.
func (h *huffman) next(ahead uint64, n uint) (symbol uint16, length uint, ok bool) {
	if f := h.fast[ahead&511]; f != 0 && uint(f&15) <= n {
		return f >> 4, uint(f & 15), true
	}
	code, first, index := 0, 0, 0
	for l := uint(1); l < 16; l++ {
		if l > n {
			return 0, 0, false
		}
		code |= int(ahead & 1)
		ahead >>= 1
		count := int(h.count[l])
		if code-first < count {
			return h.symbol[index+code-first], l, true
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return none16, 0, true
}

// code is a symbol's code, the first bit lowest, and its length, 0 where it has none.
func (h *huffman) code(symbol int) (code uint64, length uint) {
	next, index := uint16(0), 0
	for l := uint(1); l < 16; l++ {
		for range h.count[l] {
			if int(h.symbol[index]) == symbol {
				return uint64(bits.Reverse16(next) >> (16 - l)), l
			}
			index++
			next++
		}
		next <<= 1
	}
	return 0, 0
}

// The codes of section 3.2.6.
var fixedLit, fixedDist = func() (lit, dist huffman) {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	lit.build(lens[:])
	for i := range lens[:32] {
		lens[i] = 5
	}
	dist.build(lens[:32])
	return lit, dist
}()
