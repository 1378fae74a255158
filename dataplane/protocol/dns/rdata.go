package dns

import (
	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
)

// layout says where names stand in the data of a type: behind so many octets,
// so many names, then so many octets, or any number (-1).
type layout struct{ before, names, behind int }

// layouts are the types whose data may hold compressed names, or whose names
// some systems compress though they must not (RFC 3597, 4).
var layouts = map[uint16]layout{
	lib.TypeNS: {0, 1, 0}, lib.TypeMD: {0, 1, 0}, lib.TypeMF: {0, 1, 0}, lib.TypeCNAME: {0, 1, 0},
	lib.TypeSOA: {0, 2, 20}, lib.TypeMB: {0, 1, 0}, lib.TypeMG: {0, 1, 0}, lib.TypeMR: {0, 1, 0},
	lib.TypePTR: {0, 1, 0}, lib.TypeMINFO: {0, 2, 0}, lib.TypeMX: {2, 1, 0}, lib.TypeRP: {0, 2, 0},
	lib.TypeAFSDB: {2, 1, 0}, lib.TypeRT: {2, 1, 0}, lib.TypeSIG: {18, 1, -1}, lib.TypePX: {2, 2, 0},
	lib.TypeNXT: {0, 1, -1}, lib.TypeSRV: {6, 1, 0}, lib.TypeKX: {2, 1, 0}, lib.TypeDNAME: {0, 1, 0},
	lib.TypeRRSIG: {18, 1, -1}, lib.TypeNSEC: {0, 1, -1},
}

// expanded is how long the data of a record is with its names written out, as a
// server keeps it. It is an error if they do not fit the data's length. The data
// of an update's prerequisite or deletion is empty (RFC 2136).
func expanded(b []byte, rtype uint16, data protocol.Span) (int, error) {
	n := data.End - data.Start
	l, ok := layouts[rtype]
	if !ok || n == 0 {
		return n, nil
	}
	at, size := data.Start+l.before, l.before
	for range l.names {
		if at >= data.End {
			return 0, errLength
		}
		_, full, end, err := name(b[:data.End], at)
		if err != nil {
			return 0, err
		}
		at, size = end, size+full
	}
	rest := data.End - at
	if l.behind >= 0 && rest != l.behind {
		return 0, errLength
	}
	return size + rest, nil
}
