package netns

import (
	"encoding/binary"
	"slices"
)

// fragments cuts the IP packet of a frame behind its virtio-net header into
// pieces, as a router before a narrow link would, in any order. nil: it cannot
// be cut, or a real path would never carry it in this form.
func (r *relay) fragments(b []byte, l3, l4 int) [][]byte {
	const needsCsum, gsoType = 1, 1
	v6 := b[l3]>>4 == 6
	end := l3 + int(binary.BigEndian.Uint16(b[l3+2:]))
	if v6 {
		end = l3 + 40 + int(binary.BigEndian.Uint16(b[l3+4:]))
	}
	if b[gsoType] != 0 || b[0]&needsCsum != 0 || end > len(b) || end-l4 < 16 || v6 && l4 != l3+40 {
		return nil
	}
	r.id++
	body := b[l4:end]
	least := 8
	if v6 {
		least = 64 // the first one must hold the whole TCP header (RFC 7112)
	}
	size := max(least, (len(body)/(2+r.rng.IntN(5))+7)&^7)
	if size >= len(body) {
		return nil
	}
	var all [][]byte
	for at := 0; at < len(body); at += size {
		part, more := body[at:min(at+size, len(body))], at+size < len(body)
		if v6 {
			all = append(all, piece6(b[:l4], l3, r.id, at, more, part))
		} else {
			all = append(all, piece4(b[:l4], l3, r.id, at, more, part))
		}
	}
	if r.rng.IntN(2) == 0 {
		r.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return all
}

// piece4 is one fragment (RFC 791) behind these headers.
func piece4(head []byte, l3 int, id uint32, at int, more bool, part []byte) []byte {
	f := append(slices.Clone(head), part...)
	ip := f[l3:len(head)]
	offset := uint16(at / 8)
	if more {
		offset |= 0x2000
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(part)))
	binary.BigEndian.PutUint16(ip[4:], uint16(id))
	binary.BigEndian.PutUint16(ip[6:], offset)
	sumIPv4(ip)
	return f
}

// sumIPv4 sets the checksum of an IPv4 header.
func sumIPv4(ip []byte) {
	binary.BigEndian.PutUint16(ip[10:], 0)
	var sum uint32
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
}

// piece6 is one fragment (RFC 8200, 4.5) behind these headers.
func piece6(head []byte, l3 int, id uint32, at int, more bool, part []byte) []byte {
	offset := uint16(at)
	if more {
		offset |= 1
	}
	f := slices.Clone(head)
	f = append(f, f[l3+6], 0)
	f[l3+6] = 44
	f = binary.BigEndian.AppendUint16(f, offset)
	f = binary.BigEndian.AppendUint32(f, id)
	f = append(f, part...)
	binary.BigEndian.PutUint16(f[l3+4:], uint16(len(f)-l3-40))
	return f
}
