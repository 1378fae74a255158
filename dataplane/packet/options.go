package packet

import "encoding/binary"

// TCP option kinds (RFC 9293, 7323, 2018).
const (
	optEnd       = 0
	optNop       = 1
	optMSS       = 2
	optScale     = 3
	optSACKOK    = 4
	optSACK      = 5
	optTimestamp = 8
)

// Handshake is what the options of a SYN say.
type Handshake struct {
	MSS    uint16 // 0: not given
	Scale  uint8  // window shift, valid with HasScale
	SACK   bool
	Stamps bool
	// HasScale: the option was there. The scale counts only if both SYNs have it.
	HasScale bool
}

// option calls fn with kind and the whole option's bytes until fn returns
// false or the options end, well-formed or not.
func option(opts []byte, fn func(kind byte, opt []byte) bool) {
	for len(opts) > 0 {
		switch opts[0] {
		case optEnd:
			return
		case optNop:
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || opts[1] < 2 || int(opts[1]) > len(opts) {
			return
		}
		if !fn(opts[0], opts[:opts[1]]) {
			return
		}
		opts = opts[opts[1]:]
	}
}

// ParseHandshake reads the options of a SYN.
func ParseHandshake(opts []byte) Handshake {
	var h Handshake
	option(opts, func(kind byte, o []byte) bool {
		switch {
		case kind == optMSS && len(o) == 4:
			h.MSS = binary.BigEndian.Uint16(o[2:])
		case kind == optScale && len(o) == 3:
			h.Scale, h.HasScale = min(o[2], 14), true
		case kind == optSACKOK && len(o) == 2:
			h.SACK = true
		case kind == optTimestamp && len(o) == 10:
			h.Stamps = true
		}
		return true
	})
	return h
}

// TimestampAt returns where in opts the value of the timestamps option begins
// (4 bytes, then 4 of echo), -1 if there is none.
func TimestampAt(opts []byte) int {
	// The layout that practically all stacks send, without the walk.
	if len(opts) >= 12 && opts[0] == optNop && opts[1] == optNop && opts[2] == optTimestamp && opts[3] == 10 {
		return 4
	}
	at := -1
	option(opts, func(kind byte, o []byte) bool {
		if kind == optTimestamp && len(o) == 10 {
			at = cap(opts) - cap(o) + 2
			return false
		}
		return true
	})
	return at
}

// SACKBlocks returns the blocks (pairs of left and right edge, 8 bytes each)
// as a writable slice, nil if there is none.
func SACKBlocks(opts []byte) []byte {
	var blocks []byte
	option(opts, func(kind byte, o []byte) bool {
		if kind == optSACK && len(o) > 2 && (len(o)-2)%8 == 0 {
			blocks = o[2:]
			return false
		}
		return true
	})
	return blocks
}

// ShrinkSACK leaves the first n bytes of the SACK option's blocks and turns
// the rest of the option, or all of it when n is 0, into no-operations.
func ShrinkSACK(opts []byte, n int) {
	option(opts, func(kind byte, o []byte) bool {
		if kind != optSACK {
			return true
		}
		keep := 2 + n
		if n == 0 {
			keep = 0
		} else {
			o[1] = byte(keep)
		}
		for i := keep; i < len(o); i++ {
			o[i] = optNop
		}
		return false
	})
}
