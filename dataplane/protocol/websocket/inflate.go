package websocket

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"io"
)

// maxWindow is how far DEFLATE looks back, in bytes.
const maxWindow = 32 << 10

// sync is what RFC 7692 section 7.2.1 leaves out of a message, and receivers put
// behind it.
var sync = []byte{0, 0, 0xff, 0xff}

// inflater undoes permessage-deflate in one direction.
type inflater struct {
	r      io.ReadCloser
	window []byte // what the next message may refer to
	// mark is the content of a last block that is put behind each message. Who does
	// not know it cannot have the block taken for a part of his own.
	mark, tail []byte
}

// message inflates the payload of one message. ok is false when it is none, long
// that it is over the limit. One whose last block is not whole is none, for some
// receivers would wait and others fail. Octets behind a block that says it is the
// last are read on by some, and passed over by most: only the one that a sender
// puts there (section 7.2.3.5) is taken.
func (i *inflater) message(payload []byte, fresh bool, limit int) (plain []byte, ok, long bool) {
	if fresh {
		i.window = i.window[:0]
	}
	if i.mark == nil {
		i.mark = make([]byte, 16)
		rand.Read(i.mark)
		i.tail = append(append(bytes.Clone(sync), 1, 16, 0, 0xff-16, 0xff), i.mark...)
	}
	src := bytes.NewReader(append(payload[:len(payload):len(payload)], i.tail...))
	if i.r == nil {
		i.r = flate.NewReaderDict(src, i.window)
	} else if err := i.r.(flate.Resetter).Reset(src, i.window); err != nil {
		return nil, false, false
	}
	most := limit + len(i.mark)
	plain, err := io.ReadAll(io.LimitReader(i.r, int64(most)+1))
	switch {
	case err != nil:
		return nil, false, false
	case len(plain) > most:
		return nil, false, true
	case src.Len() == 0:
		plain, ok = bytes.CutSuffix(plain, i.mark)
	default:
		behind := src.Len() - len(i.tail)
		ok = behind == 0 || behind == 1 && payload[len(payload)-1] == 0
	}
	if !ok || len(plain) > limit {
		return nil, false, ok
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
