package port

import (
	"encoding/binary"
	"fmt"
)

// headPlace is head_place of bpf/heads.h: where the request of a session lies.
func headPlace(key []byte) uint32 {
	var h uint64
	for ; len(key) > 0; key = key[4:] {
		h = (h + uint64(binary.NativeEndian.Uint32(key))) * hash1
	}
	return uint32(h >> 51)
}

// kept returns the request that a session waits for an answer to, or for an
// acknowledgement of what was corrected in it, if the program kept it: nil when it
// did not.
func (p *Port) kept(k *wireFlowKey, s *Session) ([]byte, error) {
	d := &s.Dir[0]
	if !s.Pending && (d.CutLen == 0 || !d.lacking()) || d.Size == 0 || d.Size > look {
		return nil, nil
	}
	key, err := appendKey(nil, k)
	if err != nil {
		return nil, err
	}
	var h wireHead
	if err := p.objs.WpHeads.Lookup(headPlace(key), &h); err != nil {
		return nil, fmt.Errorf("look request up: %w", err)
	}
	if b := h.B[:d.Size]; h.Key == *k && p.Sum(b) == d.Sum {
		return b, nil
	}
	return nil, nil
}
