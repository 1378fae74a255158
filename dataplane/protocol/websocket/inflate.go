package websocket

import (
	"bytes"
	"compress/flate"
	"io"
)

// maxWindow is how far DEFLATE looks back, in bytes.
const maxWindow = 32 << 10

// tail ends a message's DEFLATE stream: what RFC 7692 section 7.2.1 leaves out,
// and an empty last block.
var tail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// inflater undoes permessage-deflate in one direction.
type inflater struct {
	r      io.ReadCloser
	window []byte // what the next message may refer to
}

// message inflates the payload of one message. ok is false when it is none, long
// that it is over the limit.
func (i *inflater) message(payload []byte, fresh bool, limit int) (plain []byte, ok, long bool) {
	if fresh {
		i.window = i.window[:0]
	}
	src := io.MultiReader(bytes.NewReader(payload), bytes.NewReader(tail))
	if i.r == nil {
		i.r = flate.NewReaderDict(src, i.window)
	} else if err := i.r.(flate.Resetter).Reset(src, i.window); err != nil {
		return nil, false, false
	}
	plain, err := io.ReadAll(io.LimitReader(i.r, int64(limit)+1))
	if err != nil {
		return nil, false, false
	}
	if len(plain) > limit {
		return nil, false, true
	}
	i.remember(plain)
	return plain, true, false
}

func (i *inflater) remember(plain []byte) {
	if len(plain) >= maxWindow {
		i.window = append(i.window[:0], plain[len(plain)-maxWindow:]...)
		return
	}
	if over := len(i.window) + len(plain) - maxWindow; over > 0 {
		i.window = append(i.window[:0], i.window[over:]...)
	}
	i.window = append(i.window, plain...)
}
