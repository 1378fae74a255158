package session

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestStoreAgainstModel compares the store with a map of bytes.
func TestStoreAgainstModel(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		var s store
		model := map[int64]byte{}
		end, una := int64(1), int64(1)
		for range 60 {
			switch r.IntN(4) {
			case 0, 1:
				b := make([]byte, r.IntN(600))
				for i := range b {
					b[i] = byte(r.Uint32())
					model[end+int64(i)] = b[i]
				}
				s.append(end, b)
				end += int64(len(b))
			case 2:
				end += r.Int64N(100) // passes unseen
			case 3:
				una += r.Int64N(end - una + 1)
				s.trim(una)
			}
			for at := range model {
				if at < una {
					delete(model, at)
				}
			}
			compareStore(t, seed, &s, model, una, end)
		}
	}
}

func compareStore(t *testing.T, seed uint64, s *store, model map[int64]byte, una, end int64) {
	t.Helper()
	if s.bytes != len(model) {
		t.Fatalf("seed %d: bytes = %d; want %d", seed, s.bytes, len(model))
	}
	seen := 0
	for at := s.next(una); at >= 0; {
		b := s.at(at)
		for i, x := range b {
			if want, ok := model[at+int64(i)]; !ok || x != want {
				t.Fatalf("seed %d: at(%d)[%d] = %d; want %d, stored %v", seed, at, i, x, want, ok)
			}
		}
		seen += len(b)
		at = s.next(at + int64(len(b)))
	}
	if seen != len(model) {
		t.Fatalf("seed %d: walked %d bytes; want %d", seed, seen, len(model))
	}
	if got := s.at(end); got != nil {
		t.Fatalf("seed %d: at(end) = %d bytes; want none", seed, len(got))
	}
}

func TestStoreEndIsBehindTheLastByte(t *testing.T) {
	var s store
	if got := s.end(); got != -1 {
		t.Errorf("end() = %d; want -1", got)
	}
	s.append(10, []byte("abc"))
	s.append(20, []byte("de"))
	if got := s.end(); got != 22 {
		t.Errorf("end() = %d; want 22", got)
	}
	s.trim(21)
	if got := s.at(21); !bytes.Equal(got, []byte("e")) {
		t.Errorf("at(21) = %q; want %q", got, "e")
	}
	s.trim(22)
	if got, bytes := s.end(), s.bytes; got != -1 || bytes != 0 {
		t.Errorf("end() = %d, bytes = %d; want -1, 0", got, bytes)
	}
}
