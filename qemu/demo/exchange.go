package demo

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// exchangeTimeout bounds one request and its answer.
const exchangeTimeout = time.Minute

// peer is a connection on which requests are sent as they stand, byte for
// byte, and answers read with every byte kept.
type peer struct {
	conn net.Conn
	r    *bufio.Reader
	raw  bytes.Buffer
}

func newPeer(c net.Conn) *peer {
	p := &peer{conn: c}
	p.r = bufio.NewReader(io.TeeReader(c, &p.raw))
	return p
}

// answer is one response.
type answer struct {
	Status  string // for instance "200 OK"
	Headers []string
	Body    string
	raw     []byte
}

// ask sends one request and reads its answer.
func (p *peer) ask(request string) (*answer, error) {
	if err := p.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return nil, err
	}
	p.raw.Reset()
	if _, err := io.WriteString(p.conn, request); err != nil {
		return nil, fmt.Errorf("sending the request: %w", err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer's body: %w", err)
	}
	raw := bytes.Clone(p.raw.Bytes())
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	return &answer{Status: resp.Status, Headers: lines[1:], Body: string(body), raw: raw}, nil
}

// header returns the value of the first header of that name, "" for none.
func (a *answer) header(name string) string {
	for _, h := range a.Headers {
		if k, v, _ := strings.Cut(h, ":"); strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// comparable returns the answer without its Date, the one thing in which two
// servers differ by nature.
func (a *answer) comparable() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.Status)
	for _, h := range a.Headers {
		if k, _, _ := strings.Cut(h, ":"); !strings.EqualFold(k, "Date") {
			fmt.Fprintln(&b, h)
		}
	}
	return b.String() + "\n" + a.Body
}
