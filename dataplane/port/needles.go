package port

import "strings"

// Vetting says which messages of HTTP services the program may let go on by
// itself (bpf/scan.h): those of a simple form in which none of Texts occurs.
type Vetting struct {
	Requests, Responses bool
	// Texts are what rules look for, without regard to ASCII case: in requests,
	// in responses. An empty one must not be there.
	Texts [2][]string
	// Strike are names of fields of requests, in lower case, that the program takes
	// away, whatever they say, where there is nothing else to correct. Struck tells
	// of it. Each must be one that CanStrike says.
	Strike []string
	// Long: messages whose head has so many bytes go up; 0: none for that.
	Long [2]int
	// Keep: the program keeps a request until it is answered, for whoever takes the
	// session over before that.
	Keep bool
}

// needles is struct needles of bpf/scan.h. A text is found by one run of its
// bytes: it cannot occur without it.
type needles struct {
	eight [1 << 16]uint64
	four  [1 << 14]uint64
	two   [1 << 8]uint64
	ends  [1 << 8]uint64
}

const (
	hash1 = 0x9e3779b97f4a7c15
	hash2 = 0xc2b2ae3d27d4eb4f
)

func setBit(set []uint64, i uint64) { set[i>>6] |= 1 << (i & 63) }

// add enters a text.
func (n *needles) add(text string) {
	text = strings.Map(lowerASCII, text)
	for i := range len(text) {
		if bytesAre[text[i]]&byteBad != 0 {
			return // no simple head has it
		}
	}
	switch {
	case len(text) >= 8:
		r := runOf(rarest(text, 8))
		n.end(r)
		setBit(n.eight[:], r*hash1>>42)
		setBit(n.eight[:], r*hash2>>42)
	case len(text) >= 4:
		r := runOf(rarest(text, 4))
		n.end(r)
		setBit(n.four[:], r*hash1>>44)
		setBit(n.four[:], r*hash2>>44)
	case len(text) == 3:
		for before := range uint64(128) { // something always goes before
			r := before<<24 | runOf(text)
			n.end(r)
			setBit(n.four[:], r*hash1>>44)
			setBit(n.four[:], r*hash2>>44)
		}
	case len(text) == 2:
		n.pair(runOf(text))
	default:
		for next := range uint64(128) { // something always follows
			n.pair(uint64(text[0])<<8 | next)
		}
	}
}

func (n *needles) pair(r uint64) {
	setBit(n.two[:], r>>1&0x3f80|r&0x7f)
	n.end(r)
}

// end notes the last two bytes of a run.
func (n *needles) end(r uint64) { setBit(n.ends[:], r>>1&0x3f80|r&0x7f) }

func runOf(s string) uint64 {
	var r uint64
	for i := range len(s) {
		r = r<<8 | uint64(s[i])
	}
	return r
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// rarest returns the run of n bytes of text that messages hold least likely: one
// that the usual ones do not, and if possible with an end that they have not
// either, since at each such end the whole run is looked up; else the last.
func rarest(text string, n int) string {
	best := ""
	for i := len(text) - n; i >= 0; i-- {
		run := text[i : i+n]
		if strings.Contains(usual, run) {
			continue
		}
		if n < 2 || !strings.Contains(usual, run[n-2:]) {
			return run
		}
		if best == "" {
			best = run
		}
	}
	if best == "" {
		return text[len(text)-n:]
	}
	return best
}

// Worth says how well the program tells by a text the few messages that have it
// from the many: 0 when the many have it, too.
func Worth(text string) int {
	text = strings.Map(lowerASCII, text)
	for _, n := range []int{8, 4, 3, 2, 1} {
		if len(text) >= n {
			if strings.Contains(usual, rarest(text, n)) {
				return 0
			}
			return n
		}
	}
	return 0
}

// WorthLength is the same of a length: few heads are so long.
func WorthLength(least int) int {
	if least < 800 {
		return 0
	}
	return 2
}

// usual is what messages of all kinds have in common, in lower case.
const usual = "get / http/1.1\r\nhost: www.\r\nconnection: keep-alive\r\ncache-control: max-age=0, no-cache, no-store, private, must-revalidate\r\n" +
	"upgrade-insecure-requests: 1\r\nuser-agent: mozilla/5.0 (windows nt 10.0; win64; x64; rv:) applewebkit/537.36 (khtml, like gecko) chrome/ safari/ firefox/ gecko/\r\n" +
	"accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/json\r\n" +
	"referer: https://www.\r\norigin: https://\r\naccept-encoding: gzip, deflate, br, zstd\r\naccept-language: en-us,en;q=0.9\r\ncookie: session=\r\nauthorization: bearer basic\r\n" +
	"sec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: same-origin\r\nsec-ch-ua: \r\nif-none-match: \"\r\nif-modified-since: range: bytes=\r\n" +
	"x-requested-with: xmlhttprequest\r\nx-forwarded-for: \r\nx-forwarded-proto: https\r\nx-forwarded-host: \r\nx-real-ip: \r\nvia: 1.1\r\n" +
	"http/1.1 200 ok\r\nserver: nginx apache\r\ndate: mon, jan gmt\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: \r\nlast-modified: \r\n" +
	"etag: \"\r\naccept-ranges: bytes\r\nvary: accept-encoding\r\nset-cookie: ; path=/; httponly; secure; samesite=lax\r\nexpires: \r\nlocation: https://\r\n" +
	"http/1.1 304 not modified\r\nhttp/1.1 404 not found\r\nhttp/1.1 302 found\r\nx-content-type-options: nosniff\r\nx-frame-options: deny\r\n" +
	"strict-transport-security: max-age=\r\ncontent-security-policy: default-src 'self'\r\naccess-control-allow-origin: *\r\n\r\n"

// What a byte is, as in bpf/scan.h.
const (
	byteBad   = 1
	byteToken = 2
	byteCR    = 4
	byteLF    = 8
	byteColon = 16
	byteSpace = 32
)

// bytesAre is vetting.bytes: what each byte is, and above that its lower case.
var bytesAre = byteTable()

func byteTable() (t [256]uint16) {
	for c := range 256 {
		is := uint16(byteBad)
		switch {
		case c == '\r':
			is = byteCR
		case c == '\n':
			is = byteLF
		case c == ':':
			is = byteColon
		case c == ' ':
			is = byteSpace
		case c > ' ' && c < 0x7f:
			is = 0
			if strings.IndexByte("\"(),/:;<=>?@[\\]{}", byte(c)) < 0 {
				is = byteToken
			}
		}
		t[c] = is | uint16(lowerASCII(rune(c)))<<8
	}
	return t
}
