package port

// strikes is one of vetting.strikes of bpf/scan.h: names of fields to take away,
// by their hash.
type strikes [64]strike

type strike struct {
	hash   uint64
	length uint32
	_      uint32
	name   [strikeName]byte
}

// strikeName is how long such a name may be (STRIKE_NAME).
const strikeName = 40

// nameHash is NAME_HASH, of all bytes of a name.
func nameHash(name string) uint64 {
	var h uint64
	for i := range len(name) {
		h = (h + uint64(name[i]) + 1) * hash1
	}
	return h
}

// CanStrike returns those of some names, in lower case, that the program can take
// away all at once (Vetting.Strike): they are not too long, and no two of them
// have one place.
func CanStrike(names []string) []string {
	var out []string
	var taken strikes
	for _, n := range names {
		if p := taken.place(n); len(n) > 0 && len(n) <= strikeName && p.length == 0 {
			p.length = uint32(len(n))
			out = append(out, n)
		}
	}
	return out
}

func (s *strikes) place(name string) *strike { return &s[nameHash(name)>>58] }

func (s *strikes) set(names []string) {
	*s = strikes{}
	for _, n := range names {
		p := s.place(n)
		p.hash, p.length = nameHash(n), uint32(copy(p.name[:], n))
	}
}
