package soak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// ending is how a session ends.
type ending int

const (
	serverCloses ending = iota // behind its last answer
	clientCloses               // once it has all answers
	halfClosed                 // the client's FIN follows its last request
	refused                    // the box answers the last request, and ends the session
	aborted                    // the client resets in the middle
	endings
)

func (e ending) String() string {
	return [...]string{"server closes", "client closes", "half-closed", "refused for good", "aborted"}[e]
}

// exchange is one request with its answer, as sent and as they must arrive.
type exchange struct{ sent, arrives, answer, gets []byte }

// plan is one session: all that either end does, and must see.
type plan struct {
	id        int
	v6        bool
	exchanges []exchange
	depth     int // requests under way at once
	end       ending
	abortAt   int // bytes that the client reads before it resets
	ends      [2]habits
}

// habits are how an end of a session treats its socket; client, then server.
type habits struct {
	nagle      bool
	congestion string
	buffer     int // bytes of the receive buffer, 0: the system's
	pieces     int // size of writes at most, 0: whole
	pauses     bool
	seed       uint64
}

func (p *plan) String() string {
	return fmt.Sprintf("session %d: %d exchanges, %d at once, IPv6 %t, %v, client %+v, server %+v", p.id, len(p.exchanges), p.depth, p.v6, p.end, p.ends[0], p.ends[1])
}

// makePlan makes session id of a round.
func makePlan(seed uint64, id int, bodies bool) *plan {
	rng := rand.New(rand.NewPCG(seed, uint64(id)))
	p := &plan{id: id, v6: rng.IntN(2) == 0, depth: 1 + rng.IntN(2)*rng.IntN(8), end: ending(rng.IntN(int(refused)))}
	switch n := rng.IntN(100); {
	case n < 8:
		p.end = refused
	case n < 11:
		p.end = aborted
	}
	large := rng.IntN(20) == 0
	m := model{rng: rng, bodies: bodies, large: large}
	for n := 1 + rng.IntN(6); n > 0; n-- {
		p.exchanges = append(p.exchanges, m.exchange(n == 1, p.end))
	}
	total := 0
	for _, x := range p.exchanges {
		total += len(x.gets)
	}
	p.abortAt = rng.IntN(total)
	for i := range p.ends {
		p.ends[i] = makeHabits(rng, large)
	}
	return p
}

func makeHabits(rng *rand.Rand, large bool) habits {
	h := habits{nagle: rng.IntN(2) == 0, congestion: [...]string{"cubic", "bbr"}[rng.IntN(2)], seed: rng.Uint64(), pauses: rng.IntN(10) == 0}
	if rng.IntN(8) == 0 {
		h.buffer = 2300 + rng.IntN(8000)
		if large {
			h.buffer *= 20 // below a segment's length a window is slow without us, too
		}
	}
	switch n := rng.IntN(6); {
	case large && n < 2:
		h.pieces = 1000 + rng.IntN(50_000)
	case large:
	case n == 0:
		h.pieces = 1 + rng.IntN(3)
	case n < 3:
		h.pieces = 1 + rng.IntN(200)
	case n < 4:
		h.pieces = 1 + rng.IntN(5000)
	}
	return h
}

// model makes exchanges, with what the corrections make of them.
type model struct {
	rng    *rand.Rand
	bodies bool // request bodies are corrected, too
	large  bool
}

const (
	refusal     = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\nrefused by the patch\n"
	lastRefusal = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 9\r\n\r\nno more.\n"
)

func (m *model) exchange(last bool, end ending) exchange {
	switch {
	case last && end == refused:
		head := []byte("GET /refused-for-good HTTP/1.1\r\nHost: a\r\nX-Kept: " + m.word(200) + "\r\n\r\n")
		return exchange{sent: head, gets: []byte(lastRefusal)}
	case m.rng.IntN(12) == 0 && !last:
		var x exchange
		x.sent, _ = m.request("POST /refused")
		x.gets = []byte(refusal)
		return x
	}
	method := [...]string{"GET", "POST", "PUT", "HEAD"}[m.rng.IntN(4)]
	var x exchange
	x.sent, x.arrives = m.request(method + " /" + m.word(60))
	x.answer, x.gets = m.response(method, last && end == serverCloses)
	return x
}

// request returns a request as sent and as it must arrive.
func (m *model) request(line string) (sent, arrives []byte) {
	sent = append(sent, line+" HTTP/1.1\r\nHost: a\r\n"...)
	arrives = append(arrives, sent...)
	both := func(s string) { sent, arrives = append(sent, s...), append(arrives, s...) }
	for range m.rng.IntN(5) {
		switch m.rng.IntN(4) {
		case 0:
			sent = append(sent, "X-Removed: "+m.word(300)+"\r\n"...)
		case 1:
			both("X-Removed-Not: " + m.word(30) + "\r\n")
		default:
			both("X-Kept: " + m.word(400) + "\r\n")
		}
	}
	if line[0] != 'P' {
		both("\r\n")
		return sent, arrives
	}
	body := m.body(200_000)
	changed := body
	if m.rng.IntN(2) == 0 {
		body, changed = m.trigger(body)
	}
	if m.rng.IntN(3) == 0 {
		both("Transfer-Encoding: chunked\r\n\r\n")
		raw := m.chunked(body)
		sent = append(sent, raw...)
		if !bytes.Equal(body, changed) {
			// One chunk in the place of all.
			raw = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(changed), changed)
		}
		return sent, append(arrives, raw...)
	}
	sent = fmt.Appendf(sent, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return sent, fmt.Appendf(arrives, "Content-Length: %d\r\n\r\n%s", len(changed), changed)
}

// trigger puts into a body what the definitions replace, and replaces it.
func (m *model) trigger(body []byte) (with, changed []byte) {
	from, to := "<trigger>", "<what the patched server would have read>"
	if m.rng.IntN(2) == 0 {
		from, to = "<another, long trigger>", "-"
	}
	at := m.rng.IntN(len(body) + 1)
	with = append(append(append(with, body[:at]...), from...), body[at:]...)
	if !m.bodies {
		return with, with
	}
	return with, append(append(append(changed, body[:at]...), to...), body[at:]...)
}

// response returns an answer as sent and as it must arrive.
func (m *model) response(method string, closes bool) (sent, gets []byte) {
	sent = append(sent, "HTTP/1.1 200 OK\r\n"...)
	gets = append(gets, sent...)
	both := func(s string) { sent, gets = append(sent, s...), append(gets, s...) }
	for range m.rng.IntN(4) {
		switch m.rng.IntN(3) {
		case 0:
			sent = append(sent, "X-Answer: short\r\n"...)
			gets = append(gets, "X-Answer: an answer that is quite a bit longer than what came\r\n"...)
		default:
			both("X-Kept: " + m.word(200) + "\r\n")
		}
	}
	body := m.body(4 << 20)
	length := "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	if closes {
		both("Connection: close\r\n")
	}
	switch n := m.rng.IntN(4); {
	case method == "HEAD":
		both(length + "\r\n")
		return sent, gets
	case closes && n == 0:
		both("\r\n" + string(body))
	case n == 1:
		both("Transfer-Encoding: chunked\r\n\r\n" + string(m.chunked(body)))
	default:
		both(length + "\r\n" + string(body))
	}
	return sent, gets
}

// body returns some bytes: mostly few, in a large session up to most.
func (m *model) body(most int) []byte {
	n := m.rng.IntN(2000)
	switch k := m.rng.IntN(10); {
	case m.large && k < 5:
		n = m.rng.IntN(most)
	case k == 5:
		n = m.rng.IntN(30_000)
	case k == 6:
		n = 0
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz \r\n:/<>"[m.rng.Uint32()%33]
	}
	return b
}

func (m *model) chunked(body []byte) (out []byte) {
	most := 1 + m.rng.IntN(len(body)+100)
	for len(body) > 0 {
		n := min(len(body), max(most/20, 1)+m.rng.IntN(most))
		out = fmt.Appendf(out, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return append(out, "0\r\n\r\n"...)
}

func (m *model) word(most int) string {
	b := make([]byte, 1+m.rng.IntN(most))
	for i := range b {
		b[i] = 'a' + byte(m.rng.IntN(26))
	}
	return string(b)
}
