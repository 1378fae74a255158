package prove

import (
	"bytes"
	"encoding/hex"
	"slices"
)

// A packetMutation says packets of a binary protocol otherwise, or puts others
// beside them.
type packetMutation struct {
	name string
	f    func(packets [][]byte) [][]byte
}

// packetMutations are those of each protocol.
var packetMutations = map[string][]packetMutation{"mqtt": mqttMutations, "dtls": dtlsMutations}

var mqttMutations = []packetMutation{
	{"behind a ping", before("c000")},
	{"behind a subscription", before("8206 0007 0001 7a 00")},
	{"behind a publication", before("3005 0001 7a 6869")},
	{"behind long publications", before("30d30f 0001 7a" + hex.EncodeToString(bytes.Repeat([]byte("x"), 2000)) + "c000")},
	{"before a publication", behind("3005 0001 7a 6869")},
	{"before a subscription", behind("8206 0007 0001 7a 00")},
	{"each twice", func(packets [][]byte) (out [][]byte) {
		for _, p := range packets {
			out = append(out, p, p)
		}
		return out
	}},
	{"all twice", func(packets [][]byte) [][]byte { return append(packets, packets...) }},
	{"in one write", func(packets [][]byte) [][]byte { return [][]byte{bytes.Join(packets, nil)} }},
	{"in one write, among others", func(packets [][]byte) [][]byte {
		return [][]byte{slices.Concat([]byte("\x30\x05\x00\x01zhi"), bytes.Join(packets, nil), []byte("\x30\x05\x00\x01zho"))}
	}},
	{"lengths in two octets", func(packets [][]byte) [][]byte {
		for i, p := range packets {
			if len(p) < 2 || p[1] >= 0x80 {
				return nil
			}
			packets[i] = slices.Concat(p[:1], []byte{p[1] | 0x80, 0}, p[2:])
		}
		return packets
	}},
}

var dtlsMutations = []packetMutation{
	{"in one datagram", func(packets [][]byte) [][]byte {
		if len(packets) < 2 {
			return nil
		}
		return [][]byte{bytes.Join(packets, nil)}
	}},
	{"records of version 1.0", records(func(r []byte) { r[2] = 0xff })},
	{"later record numbers", records(func(r []byte) { r[10] += 40 })},
	{"messages with the next number", records(func(r []byte) { r[13+5]++ })},
	{"messages of a ServerHello", records(func(r []byte) { r[13] = 2 })},
	{"messages of a Certificate", records(func(r []byte) { r[13] = 11 })},
	{"messages of a Finished", records(func(r []byte) { r[13] = 20 })},
	{"messages of no known kind", records(func(r []byte) { r[13] = 99 })},
	{"all twice", func(packets [][]byte) [][]byte { return append(packets, packets...) }},
	{"behind another protocol's", before("0001 0000 2112a442 000000000000000000000000")},
	{"behind half a record", before("16fefd 0000 0000000000")},
	{"behind a stray message", before("16 fefd 0000 000000000000 0010 01 000042 0005 000000 000004 fefd1111")},
}

func before(text string) func([][]byte) [][]byte {
	return func(packets [][]byte) [][]byte { return append([][]byte{mustUnhex(text)}, packets...) }
}

func behind(text string) func([][]byte) [][]byte {
	return func(packets [][]byte) [][]byte { return append(packets, mustUnhex(text)) }
}

func mustUnhex(text string) []byte {
	b, err := unhex(text)
	if err != nil {
		panic(err) // a constant of this file
	}
	return b
}

// records changes each record of each datagram that holds a handshake message.
func records(f func([]byte)) func([][]byte) [][]byte {
	return func(packets [][]byte) [][]byte {
		for _, p := range packets {
			for len(p) >= 13+12 && p[0] == 22 {
				end := 13 + int(p[11])<<8 + int(p[12])
				if end > len(p) {
					break
				}
				f(p)
				p = p[end:]
			}
		}
		return packets
	}
}
