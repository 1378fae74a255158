package websocket

import "encoding/binary"

// maxLength is where lengths of payloads end to be counted: sums of them stay
// numbers.
const maxLength = 1 << 61

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// header is the header of one frame.
type header struct {
	size   int // of the header itself
	fin    bool
	rsv    byte // 4: the first reserved bit
	opcode byte
	masked bool
	key    [4]byte
	length int64 // of the payload, at most maxLength
	short  bool  // the length could have been said in fewer octets
	signed bool  // the highest bit of the length is set, which some take for a sign
}

func (h *header) control() bool { return h.opcode >= opClose }

func (h *header) kind() string {
	switch h.opcode {
	case opContinuation:
		return "continuation"
	case opText:
		return "text"
	case opBinary:
		return "binary"
	case opClose:
		return "close"
	case opPing:
		return "ping"
	case opPong:
		return "pong"
	}
	return "reserved"
}

// parseHeader reads the header that b begins with; ok is false while it is not
// whole.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	h.fin, h.rsv, h.opcode = b[0]&0x80 != 0, b[0]>>4&7, b[0]&15
	h.masked, h.size = b[1]&0x80 != 0, 2
	n := int64(b[1] & 0x7f)
	extra := map[int64]int{126: 2, 127: 8}[n]
	if h.masked {
		h.size += 4
	}
	if h.size += extra; len(b) < h.size {
		return h, false
	}
	switch extra {
	case 2:
		n = int64(binary.BigEndian.Uint16(b[2:]))
		h.short = n < 126
	case 8:
		u := binary.BigEndian.Uint64(b[2:])
		n = int64(min(u, maxLength))
		h.short, h.signed = u < 1<<16, u>>63 == 1
	}
	h.length = n
	if h.masked {
		copy(h.key[:], b[2+extra:])
	}
	return h, true
}

// mask applies a masking key to b, which begins where the key does.
func mask(b []byte, key [4]byte) {
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// makeFrame writes a frame.
func makeFrame(h header, payload []byte) []byte {
	out := []byte{h.rsv<<4 | h.opcode, 0}
	if h.fin {
		out[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		out[1] = byte(n)
	case n < 1<<16:
		out[1] = 126
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	default:
		out[1] = 127
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	if h.masked {
		out[1] |= 0x80
		out = append(out, h.key[:]...)
	}
	at := len(out)
	out = append(out, payload...)
	if h.masked {
		mask(out[at:], h.key)
	}
	return out
}

// closeFrame is a Close frame of the server's; status 0 says none.
func closeFrame(status int, reason string) []byte {
	var payload []byte
	if status > 0 {
		payload = binary.BigEndian.AppendUint16(nil, uint16(status))
		payload = append(payload, reason[:min(len(reason), 123)]...)
	}
	return makeFrame(header{fin: true, opcode: opClose}, payload)
}
