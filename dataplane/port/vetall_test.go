package port

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
)

const definitionsFolder = "../../definitions"

// loadDefinitions compiles the product's definitions as they are by default.
func loadDefinitions(t testing.TB) *patch.Set {
	t.Helper()
	decs, faults := decoders.Load(definitionsFolder)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	set, errs := patch.Load(definitionsFolder, decs.ForDefinitions(), nil, patch.WithProducts(nil))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

// readDefinitions reads those for HTTP.
func readDefinitions(t testing.TB) []*patch.Definition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(definitionsFolder, "*", "patch.yaml"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d definitions, %v; want at least 30", len(files), err)
	}
	var out []*patch.Definition
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := patch.Parse(file, b)
		if err != nil {
			t.Fatal(err)
		}
		if d.Protocol == "http" {
			out = append(out, d)
		}
	}
	return out
}

// material is what the definitions' own tests are made of.
type material struct {
	requests []example
	targets  []string
	fields   []string // of requests and responses
	answers  []string // status lines
}

// example is a request of a test.
type example struct {
	target string
	fields []string
}

func materialOf(defs []*patch.Definition) (m material) {
	for _, d := range defs {
		for _, v := range d.Tests {
			texts := []string{v.Client.Value}
			for _, s := range v.Steps {
				texts = append(texts, s.Sends.Value)
			}
			if v.Response != nil {
				texts = append(texts, v.Response.Value)
			}
			for _, text := range texts {
				m.add(text)
			}
		}
	}
	return m
}

func (m *material) add(text string) {
	var e example
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		words := strings.Split(line, " ")
		switch {
		case strings.HasPrefix(line, "HTTP/1."):
			m.answers = append(m.answers, line)
		case i == 0 && len(words) > 1 && strings.HasPrefix(words[1], "/"):
			e.target = words[1]
		case strings.Contains(line, ":"):
			e.fields = append(e.fields, line)
		}
	}
	m.fields = append(m.fields, e.fields...)
	if e.target != "" {
		m.targets = append(m.targets, e.target)
		m.requests = append(m.requests, e)
	}
}

// twist writes a text otherwise: in another case, with escapes, with parts taken
// out, doubled or from another text.
func twist(r *rand.Rand, s, other string) string {
	for range r.IntN(3) {
		if s == "" {
			break
		}
		i := r.IntN(len(s))
		switch r.IntN(6) {
		case 0:
			s = strings.ToUpper(s)
		case 1:
			s = s[:i] + strings.ToUpper(s[i:i+1]) + s[i+1:]
		case 2, 3:
			const hex = "0123456789abcdefABCDEF"
			c := s[i]
			s = s[:i] + "%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1] + s[i+1:]
		case 4:
			s = s[:i] + s[min(len(s), i+1+r.IntN(3)):]
		default:
			if other != "" {
				j := r.IntN(len(other))
				s = s[:i] + other[j:min(len(other), j+1+r.IntN(24))] + s[i:]
			}
		}
	}
	return s
}

// slightly writes a text in another case, or one of its octets as an escape.
func slightly(r *rand.Rand, s string) string {
	if s == "" {
		return s
	}
	i := r.IntN(len(s))
	switch r.IntN(4) {
	case 0:
		return s[:i] + strings.ToUpper(s[i:i+1]) + s[i+1:]
	case 1:
		return s
	}
	c := s[i]
	if r.IntN(2) == 0 {
		c = strings.ToUpper(s[i : i+1])[0]
	}
	const hex = "0123456789abcdefABCDEF"
	h := hex[c&15]
	if r.IntN(2) == 0 && c&15 > 9 {
		h = hex[c&15+6]
	}
	return s[:i] + "%" + hex[c>>4:c>>4+1] + string(h) + s[i+1:]
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// request makes one whose form is simple, mostly, of the tests' requests: one of
// them, slightly changed, or of parts of several.
func (m *material) request(r *rand.Rand) string {
	e := m.requests[r.IntN(len(m.requests))]
	if r.IntN(3) > 0 {
		target := strings.TrimPrefix(e.target, "/")
		for range r.IntN(3) {
			target = slightly(r, target)
		}
		return write("/"+target, without(e.fields, "host"))
	}
	target := e.target
	switch r.IntN(4) {
	case 0:
		target = "/"
	case 1:
		target = twist(r, target, pick(r, m.fields))
	}
	return write(target, m.block(r))
}

func write(target string, fields []string) string {
	target = strings.NewReplacer(" ", "%20", "\r", "", "\n", "").Replace(target)
	return "GET " + target + " HTTP/1.1\r\n" + strings.Join(append([]string{"Host: a"}, fields...), "\r\n") + "\r\n\r\n"
}

// without leaves out the fields that have one of these names, or that frame a
// request.
func without(fields []string, names ...string) []string {
	names = append(names, "content-length", "transfer-encoding", "expect", "upgrade")
	return slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		name, _, _ := strings.Cut(strings.ToLower(f), ":")
		return slices.Contains(names, name)
	})
}

func (m *material) response(r *rand.Rand) string {
	line := "HTTP/1.1 200 OK"
	if r.IntN(3) == 0 {
		line = pick(r, m.answers)
	}
	return strings.Join(append([]string{line}, m.block(r)...), "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
}

func (m *material) block(r *rand.Rand) []string {
	var out []string
	for range r.IntN(4) {
		f := pick(r, m.fields)
		if r.IntN(2) == 0 {
			f = twist(r, f, pick(r, m.targets))
		}
		out = append(out, f)
	}
	return without(out)
}

// exchanges makes random sessions and has them compared. It returns how many
// messages there were, and how many went on.
func (j *judge) exchanges(t *testing.T, set *patch.Set, own, others material, sessions int) (all, passed int) {
	j.vets(set)
	for seed := range uint64(sessions) {
		r := rand.New(rand.NewPCG(seed, 11))
		var messages []string
		for range 4 {
			m := &own
			if r.IntN(3) == 0 || len(own.requests) == 0 || len(own.answers) == 0 {
				m = &others
			}
			messages = append(messages, m.request(r), m.response(r))
		}
		all += len(messages)
		passed += j.compare(t, set, uint16(seed%60_000)+1, messages)
	}
	return all, passed
}

// TestDefinitionsBelow: with definitions of the product in force, each alone and
// all as they are by default, nothing goes on below that one of them would have
// changed, in requests and responses that are made of what their own tests are
// made of.
func TestDefinitionsBelow(t *testing.T) {
	defs := readDefinitions(t)
	everybody := materialOf(defs)
	j := newJudge(t)
	set := loadDefinitions(t)
	if all, passed := j.exchanges(t, set, everybody, everybody, 8000); passed < all/10 || passed > all*9/10 {
		t.Errorf("by default: %d of %d messages went on; want many of both kinds", passed, all)
	}
	for _, d := range defs {
		set, errs := patch.Compile([]*patch.Definition{d}, map[string]protocol.Schema{"http": http.Schema()}, map[string]string{d.ID: patch.Correct})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		all, passed := j.exchanges(t, set, materialOf([]*patch.Definition{d}), everybody, 1200)
		t.Logf("%s: %d of %d messages went on", d.ID, passed, all)
	}
}

// ordinary are requests as programs send them.
var ordinary = map[string]string{
	"curl":    "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
	"wget":    "GET /a/b.tar.gz HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Wget/1.21.3\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: Keep-Alive\r\n\r\n",
	"apt":     "GET /debian/dists/bookworm/InRelease HTTP/1.1\r\nHost: packages.example\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\nCache-Control: max-age=0\r\nAccept: text/*\r\nIf-Modified-Since: Sat, 11 Oct 2025 10:00:00 GMT\r\n\r\n",
	"python":  "GET /api/items?page=2&size=50 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: python-requests/2.31.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: application/json\r\nConnection: keep-alive\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\r\n\r\n",
	"node":    "GET /api/v1/users/42 HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive\r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n\r\n",
	"go":      "GET /metrics HTTP/1.1\r\nHost: 10.0.0.1:9100\r\nUser-Agent: Prometheus/2.45.0\r\nAccept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
	"chrome":  "GET /shop/item?id=17&ref=front%20page HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\nsec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nReferer: http://shop.example.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7\r\nCookie: sid=6f1e2d3c4b5a; theme=dark; _ga=GA1.1.1234567890.1700000000\r\n\r\n",
	"firefox": "GET /style.css?v=3 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0\r\nAccept: text/css,*/*;q=0.1\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nReferer: http://www.example.org/index.html\r\nIf-Modified-Since: Tue, 01 Oct 2025 08:00:00 GMT\r\nIf-None-Match: \"3f80f-1b6-3e1cb03b\"\r\nPriority: u=2\r\n\r\n",
	"safari":  "GET /images/logo.png HTTP/1.1\r\nHost: www.example.org\r\nAccept: image/webp,image/avif,image/*;q=0.8\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15\r\nAccept-Language: en-GB,en;q=0.9\r\nReferer: http://www.example.org/\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
	"xhr":     "GET /api/search?q=caf%C3%A9+au+lait HTTP/1.1\r\nHost: app.example.com\r\nOrigin: http://app.example.com\r\nX-Requested-With: XMLHttpRequest\r\nAccept: application/json, text/javascript, */*; q=0.01\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: _gorilla_csrf=MTcwMDAwMDAwMHxJa3c9; session=abc\r\n\r\n",
	"ranges":  "GET /video.mp4 HTTP/1.1\r\nHost: a.example\r\nRange: bytes=0-1048575\r\nUser-Agent: VLC/3.0.18 LibVLC/3.0.18\r\nAccept: */*\r\n\r\n",
	"ab":      "GET /file.html HTTP/1.1\r\nConnection: Keep-Alive\r\nHost: 10.77.0.2\r\nUser-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n",
	"probe":   "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: kube-probe/1.28\r\nAccept: */*\r\nConnection: close\r\n\r\n",
}

var ordinaryAnswers = []string{
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 11 Oct 2025 10:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 5\r\nLast-Modified: Sat, 11 Oct 2025 09:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"68ea1-5\"\r\nAccept-Ranges: bytes\r\n\r\nhello",
	"HTTP/1.1 304 Not Modified\r\nDate: Sat, 11 Oct 2025 10:00:00 GMT\r\nServer: Apache/2.4.62 (Debian)\r\nETag: \"2aa6-5f\"\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\nETag: W/\"2-vyGp6PvFo4RvsFtPoIWeCReyIC8\"\r\nDate: Sat, 11 Oct 2025 10:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nSet-Cookie: sid=s%3Aabc; Path=/; HttpOnly\r\n\r\n{}",
	"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: Sat, 11 Oct 2025 10:00:00 GMT\r\nContent-Length: 19\r\n\r\n404 page not found\n",
	"HTTP/1.1 302 Found\r\nLocation: http://www.example.org/login\r\nContent-Length: 0\r\n\r\n",
}

// TestOrdinaryStaysBelow: with the definitions that are on by default, what
// ordinary programs ask and ordinary servers answer is judged below.
func TestOrdinaryStaysBelow(t *testing.T) {
	set := loadDefinitions(t)
	j := newJudge(t)
	j.vets(set)
	client := uint16(1000)
	for name, q := range ordinary {
		for _, a := range ordinaryAnswers {
			client++
			if n := j.compare(t, set, client, []string{q, a, q, a}); n < 4 {
				t.Errorf("%s, %.20q: %d of 4 messages went on", name, a, n)
			}
		}
	}
}
