package session

// chunk is a run of output bytes.
type chunk struct {
	out int64
	b   []byte
}

func (c *chunk) end() int64 { return c.out + int64(len(c.b)) }

// store keeps the output bytes that were inspected and that the receiver has
// not acknowledged. What passes unseen leaves gaps between its chunks.
type store struct {
	chunks []chunk
	bytes  int
}

// keepCap is the largest buffer, in bytes, that an empty store keeps for reuse.
const keepCap = 4096

// emptied returns the store without bytes, but with its room.
func (s *store) emptied() store {
	if len(s.chunks) == 0 {
		return store{}
	}
	c := s.chunks[:1]
	c[0] = chunk{b: c[0].b[:0]}
	return store{chunks: c}
}

// append adds b at output offset out, which is not below any stored byte.
func (s *store) append(out int64, b []byte) {
	if len(b) == 0 {
		return
	}
	s.bytes += len(b)
	if n := len(s.chunks); n > 0 {
		last := &s.chunks[n-1]
		if len(last.b) == 0 {
			last.out = out
		}
		if last.end() == out {
			last.b = append(last.b, b...)
			return
		}
	}
	s.chunks = append(s.chunks, chunk{out, append([]byte(nil), b...)})
}

// trim forgets the bytes below una.
func (s *store) trim(una int64) {
	for len(s.chunks) > 0 {
		c := &s.chunks[0]
		if c.out >= una || len(c.b) == 0 {
			return
		}
		n := int(min(una, c.end()) - c.out)
		s.bytes -= n
		if c.end() > una {
			c.b = append(c.b[:0], c.b[n:]...)
			c.out = una
			return
		}
		if len(s.chunks) == 1 {
			if cap(c.b) > keepCap {
				c.b = nil
			}
			c.b = c.b[:0]
			return
		}
		s.chunks = append(s.chunks[:0], s.chunks[1:]...)
	}
}

// at returns the stored bytes from output offset out on, nil if that byte is
// not stored.
func (s *store) at(out int64) []byte {
	for i := range s.chunks {
		if c := &s.chunks[i]; out >= c.out && out < c.end() {
			return c.b[out-c.out:]
		}
	}
	return nil
}

// next returns the lowest stored offset that is not below out, or -1.
func (s *store) next(out int64) int64 {
	for i := range s.chunks {
		if c := &s.chunks[i]; out < c.end() {
			return max(out, c.out)
		}
	}
	return -1
}

// end returns the output offset behind the last stored byte, or -1.
func (s *store) end() int64 {
	if n := len(s.chunks); n > 0 && len(s.chunks[n-1].b) > 0 {
		return s.chunks[n-1].end()
	}
	return -1
}
