package prove

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// world is one server with the way to it.
type world struct {
	ctx      context.Context
	name     string
	bed      *netns.Bed
	server   *server
	own      *ownHost
	host     *netns.Host // for what must be cleared away
	chromium *chromium   // nil before it is needed
	proof    *proof
	limit    time.Duration // what does not come within it has not come

	exchanges, repeated int // how many there were, and how many of them were tried again for what was lost
}

// trial is one exchange, in one form.
type trial struct {
	name  string
	steps []step
	http  bool
}

// answer is all that a client sees of an exchange.
type answer struct {
	got    []byte // what came, to a request of ours behind it as well, which asks for the end
	end    string // how the session stood behind what came: see the constants
	dead   bool   // the server answers nobody any more
	exited bool   // its process has ended
	reset  bool   // the server has reset the session: what it had said before may be lost with that
}

const (
	kept    = "open"
	closed  = "closed"
	waiting = "nothing more comes"
	refused = "no connection"
)

// exchange has one trial with the server, and sees to it that the server lives
// behind it.
func (w *world) exchange(t *trial, how delivery, seed uint64) (a answer, err error) {
	w.exchanges++
	if w.proof.Over == "udp" {
		return w.datagrams(t, how, seed)
	}
	well := false
	l, err := w.dial(how)
	if err != nil {
		a.end = refused
	} else {
		well = w.talk(l, t, how, rand.New(rand.NewPCG(seed, uint64(how))), &a)
		l.Close()
	}
	if !well || !w.server.alive() {
		if a.dead = !w.lives(); a.dead && a.end != waiting {
			w.server.gone(w.ctx)
		}
	}
	a.exited = !w.server.alive()
	return a, w.mend(&a)
}

// mend starts a server anew that an exchange has ended.
func (w *world) mend(a *answer) error {
	var err error
	if a.dead || a.exited {
		err = w.server.again(w.ctx)
	}
	return errors.Join(err, w.ctx.Err())
}

// talk sends the steps of a trial and reads what comes. It says whether the
// server was well to the last.
func (w *world) talk(l link, t *trial, how delivery, rng *rand.Rand, a *answer) bool {
	for i := range t.steps {
		s := &t.steps[i]
		begin := len(a.got)
		if s.calm {
			w.server.rest(w.ctx)
		}
		l.deliver(s.send, how, rng) // who closes early is read all the same
		if len(s.methods) == 0 && s.wait == nil && i < len(t.steps)-1 {
			continue // what comes is read with the answer to what follows
		}
		enough := func() bool { return false }
		switch {
		case len(s.methods) > 0:
			enough = func() bool { return answered(a.got[begin:], s.methods) }
		case s.wait != nil:
			enough = func() bool { return s.wait.Match(a.got[begin:]) }
		}
		if a.end = w.read(l, a, enough); a.end != kept {
			return false
		}
	}
	if !t.http {
		return true
	}
	before := len(a.got)
	l.deliver(w.probe(), min(how, cuts), rng)
	a.end = w.read(l, a, func() bool { return false })
	return a.end == closed && len(a.got) > before
}

// probe is the request that ends a session.
func (w *world) probe() []byte {
	return []byte("GET " + w.proof.Probe + " HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
}

// read reads until it is enough, the session ends, or the limit is over.
func (w *world) read(l link, a *answer, enough func() bool) string {
	l.SetReadDeadline(time.Now().Add(w.limit))
	buf := make([]byte, 64<<10)
	for !enough() {
		n, err := l.Read(buf)
		a.got = append(a.got, buf[:n]...)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return waiting
		default:
			a.reset = errors.Is(err, errReset) || errors.Is(err, syscall.ECONNRESET)
			return closed
		}
	}
	return kept
}

// lives asks whether the server still answers on a new session.
func (w *world) lives() bool {
	l, err := w.dial(whole)
	if err != nil {
		return false
	}
	defer l.Close()
	t := &trial{steps: []step{{send: w.probe(), methods: []string{"GET"}}}}
	if h := &w.proof.Harmless[0]; len(h.requests) == 0 {
		t = w.proof.trial("", h, nil)
	}
	var a answer
	w.talk(l, t, whole, rand.New(rand.NewPCG(0, 0)), &a)
	return len(a.got) > 0
}

// answered says whether b holds a response, whole, to each of the methods.
func answered(b []byte, methods []string) bool {
	r := bytes.NewReader(b)
	br := bufio.NewReader(r)
	for n := 0; n < len(methods); {
		resp, err := http.ReadResponse(br, &http.Request{Method: methods[n]})
		if err != nil {
			return false
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return true
		}
		if resp.StatusCode < 200 {
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return false
		}
		if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && methods[n] != http.MethodHead {
			return false // it lasts until the session ends
		}
		n++
	}
	return true
}

// around shows an answer to people: what came where it begins to differ from
// other, and how it ended.
func (p *proof) around(a, other *answer) string {
	var b strings.Builder
	b.WriteString(part(p.same(a.got), p.same(other.got)))
	fmt.Fprintf(&b, ", then session %s", a.end)
	if a.exited {
		b.WriteString(", server has ended")
	} else if a.dead {
		b.WriteString(", server answers nobody")
	}
	return b.String()
}

// part quotes some of a text, with the place where it begins to differ from
// other.
func part(s, other string) string {
	const before, most = 100, 400
	at := 0
	for at < len(s) && at < len(other) && s[at] == other[at] {
		at++
	}
	from := max(0, at-before)
	if from < before {
		from = 0
	}
	out := fmt.Sprintf("%q", s[from:min(len(s), from+most)])
	if from > 0 {
		out = fmt.Sprintf("%d bytes… ", from) + out
	}
	if rest := len(s) - from - most; rest > 0 {
		out += fmt.Sprintf(" …%d bytes", rest)
	}
	return out
}

// quote shows bytes, long ones shortened.
func quote(b []byte) string { return part(string(b), "") }

// alike says whether two answers are the same to a client.
func (p *proof) alike(a, b *answer) bool {
	return a.end == b.end && a.dead == b.dead && a.exited == b.exited &&
		p.same(a.got) == p.same(b.got)
}

// alikeAny says whether an answer is one of several.
func (p *proof) alikeAny(a *answer, of []answer) bool {
	return slices.ContainsFunc(of, func(b answer) bool { return p.alike(a, &b) })
}
