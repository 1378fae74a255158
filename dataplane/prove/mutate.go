package prove

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A mutation says a request otherwise. What it makes need not mean the same: the
// patched version is the measure of what it means. It returns nil where it
// would change nothing.
type mutation struct {
	name string
	f    func(r request, rng *rand.Rand) []request
}

// one makes a mutation of a change to a single request.
func one(name string, f func(r *request, rng *rand.Rand) bool) mutation {
	return mutation{name, func(r request, rng *rand.Rand) []request {
		r.headers = append([][2]string(nil), r.headers...)
		if !f(&r, rng) {
			return nil
		}
		return []request{r}
	}}
}

// mutations are all that there are, but for those of verbs, and for
// pipelining, which needs a neighbour. Folded fields and lone line feeds in a
// head that announces a body are not among them: servers do not agree where
// such a body ends, and the appliance lets none of them through.
var mutations = append([]mutation{
	one("names in capitals", names(strings.ToUpper)),
	one("names in small letters", names(strings.ToLower)),
	one("values in other case", values(func(v string, _ *rand.Rand) string { return swapCase(v) })),
	one("blanks around values", values(func(v string, _ *rand.Rand) string { return " \t " + v + "\t  " })),
	one("no blanks before values", func(r *request, _ *rand.Rand) bool { r.colon = ":"; return true }),
	one("folded values", func(r *request, rng *rand.Rand) bool {
		return !r.framed() && values(func(v string, _ *rand.Rand) string {
			if v == "" {
				return v // a line of blanks alone ends the head for some servers
			}
			return "\r\n " + v
		})(r, rng)
	}),
	one("headers reversed", func(r *request, _ *rand.Rand) bool {
		for i, j := 0, len(r.headers)-1; i < j; i, j = i+1, j-1 {
			r.headers[i], r.headers[j] = r.headers[j], r.headers[i]
		}
		return len(r.headers) > 1
	}),
	one("headers in a crowd", func(r *request, _ *rand.Rand) bool {
		for i := range 20 {
			r.headers = append(r.headers, [2]string{fmt.Sprintf("X-Filler-%d", i), strings.Repeat("filler ", i)})
			r.headers = append([][2]string{{fmt.Sprintf("X-Before-%d", i), "x"}}, r.headers...)
		}
		return true
	}),
	one("headers repeated", func(r *request, _ *rand.Rand) bool {
		n := len(r.headers)
		for _, h := range r.headers {
			if !framing(h[0]) {
				r.headers = append(r.headers, h)
			}
		}
		return len(r.headers) > n
	}),
	one("an empty line before", func(r *request, _ *rand.Rand) bool { r.before = "\r\n"; return true }),
	one("lines end with LF", func(r *request, _ *rand.Rand) bool { r.eol = "\n"; return !r.framed() }),
	one("no Host", func(r *request, _ *rand.Rand) bool { return r.drop("Host") }),
	one("HTTP/1.0", func(r *request, _ *rand.Rand) bool { r.version = "HTTP/1.0"; return true }),
	one("HTTP/1.0 kept open", func(r *request, _ *rand.Rand) bool {
		r.version = "HTTP/1.0"
		return r.add("Connection", "keep-alive")
	}),
	one("to be closed", func(r *request, _ *rand.Rand) bool { return r.add("Connection", "close") }),
	one("to be kept open", func(r *request, _ *rand.Rand) bool { return r.add("Connection", "Keep-Alive") }),
	one("absolute target", func(r *request, _ *rand.Rand) bool {
		r.target = "http://a" + r.target
		return strings.HasPrefix(r.target, "http://a/")
	}),
	one("path in percents", func(r *request, rng *rand.Rand) bool {
		return r.path(func(s string) string { return percent(s, rng, "%%%02x") })
	}),
	one("path in Percents", func(r *request, rng *rand.Rand) bool {
		return r.path(func(s string) string { return percent(s, rng, "%%%02X") })
	}),
	one("path with dots", func(r *request, _ *rand.Rand) bool { return r.path(func(s string) string { return "/." + s }) }),
	one("path with slashes", func(r *request, _ *rand.Rand) bool { return r.path(func(s string) string { return "/" + s }) }),
	one("path in other case", func(r *request, _ *rand.Rand) bool { return r.path(swapCase) }),
	one("path below", func(r *request, _ *rand.Rand) bool {
		return r.path(func(s string) string { return strings.TrimSuffix(s, "/") + "/x" })
	}),
	one("query in percents", func(r *request, rng *rand.Rand) bool {
		return r.query(func(s string) string { return percent(s, rng, "%%%02x") })
	}),
	one("query with more", func(r *request, _ *rand.Rand) bool {
		return r.query(func(s string) string { return strings.Trim("zz=1&"+s+"&zy=%20", "&") })
	}),
	one("chunked", func(r *request, rng *rand.Rand) bool { return r.chunk(rng, "", "") }),
	one("chunked with extensions and trailers", func(r *request, rng *rand.Rand) bool {
		return r.chunk(rng, ";a=b", "X-Trailer: 1\r\n")
	}),
	one("compressed", func(r *request, _ *rand.Rand) bool { return r.encode("gzip", gzipped(r.body)) }),
	one("compressed with Brotli", func(r *request, _ *rand.Rand) bool { return r.encode("br", brotlied(r.body)) }),
	one("said to be compressed", func(r *request, _ *rand.Rand) bool { return r.encode("deflate", r.body) }),
	one("with expectation", func(r *request, _ *rand.Rand) bool { return r.body != "" && r.add("Expect", "100-continue") }),
	{"behind another", func(r request, _ *rand.Rand) []request { return []request{plain, r} }},
	{"before another", func(r request, _ *rand.Rand) []request { return []request{r, plain} }},
	{"twice", func(r request, _ *rand.Rand) []request { return []request{r, r} }},
}, verbs("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")...)

// plain is the neighbour in a pipeline.
var plain = request{method: "GET", target: "/", version: "HTTP/1.1", headers: [][2]string{{"Host", "a"}}}

func verbs(names ...string) (out []mutation) {
	for _, n := range names {
		out = append(out, one("as "+n, func(r *request, _ *rand.Rand) bool {
			same := r.method == n
			r.method = n
			return !same
		}))
	}
	return out
}

// framing says which headers are not played with: then other bytes would be
// the next request.
func framing(name string) bool {
	return strings.EqualFold(name, "Host") || strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding")
}

func names(f func(string) string) func(*request, *rand.Rand) bool {
	return func(r *request, _ *rand.Rand) bool {
		for i := range r.headers {
			r.headers[i][0] = f(r.headers[i][0])
		}
		return len(r.headers) > 0
	}
}

func values(f func(string, *rand.Rand) string) func(*request, *rand.Rand) bool {
	return func(r *request, rng *rand.Rand) bool {
		changed := false
		for i, h := range r.headers {
			if !framing(h[0]) {
				r.headers[i][1] = f(h[1], rng)
				changed = true
			}
		}
		return changed
	}
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z':
			return c - 'A' + 'a'
		}
		return c
	}, s)
}

// percent encodes some letters that need not be, and leaves encoded ones alone.
func percent(s string, rng *rand.Rand, format string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s):
			b.WriteString(s[i : i+3])
			i += 2
		case ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '.' || c == '-') && rng.IntN(2) == 0:
			fmt.Fprintf(&b, format, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (r *request) add(name, value string) bool {
	if r.has(name) {
		return false
	}
	r.headers = append(r.headers, [2]string{name, value})
	return true
}

func (r *request) drop(name string) bool {
	i := r.find(name)
	if i < 0 {
		return false
	}
	r.headers = append(r.headers[:i:i], r.headers[i+1:]...)
	return true
}

// framed says whether the head speaks of a body's length.
func (r *request) framed() bool { return r.has("Content-Length") || r.has("Transfer-Encoding") }

// path changes the path of the target.
func (r *request) path(f func(string) string) bool {
	if !strings.HasPrefix(r.target, "/") {
		return false
	}
	p, q, ok := strings.Cut(r.target, "?")
	before := r.target
	if r.target = f(p); ok {
		r.target += "?" + q
	}
	return r.target != before
}

// query changes the query of the target.
func (r *request) query(f func(string) string) bool {
	p, q, _ := strings.Cut(r.target, "?")
	before := r.target
	r.target = p + "?" + f(q)
	return r.target != before
}

// chunk sends the body in chunks.
func (r *request) chunk(rng *rand.Rand, extension, trailer string) bool {
	if r.body == "" || !r.drop("Content-Length") {
		return false
	}
	r.headers = append(r.headers, [2]string{"Transfer-Encoding", "chunked"})
	var b strings.Builder
	for rest := r.body; rest != ""; {
		n := 1 + rng.IntN(min(len(rest), 1000))
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, extension, rest[:n])
		rest = rest[n:]
	}
	r.body = b.String() + "0\r\n" + trailer + "\r\n"
	return true
}
