package load

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Mark is the header that makes a request one that the box must change.
const Mark = "X-Bench-Mark"

// answerBody is the length of the usual answer's body.
const answerBody = 256

// The server's answers of fixed length. Kept and gone differ in the first word
// of the body only.
var (
	answerGone = answer("gone", answerBody)
	answerKept = answer("kept", answerBody)
	shortest   = []byte("HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n" + "0123456789012345678901234") // 64 bytes
	body       = bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
)

func answer(word string, length int) []byte {
	b := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", length)
	return append(b, (word + string(bytes.Repeat([]byte("."), length-len(word))))...)
}

// maxRequest bounds the head of a request, in bytes.
const maxRequest = 64 << 10

// server answers on all its ports, on one thread.
type server struct {
	poll      *poller
	listeners map[int]int // file descriptor: port
	conns     []*conn     // by file descriptor
	buf       [64 << 10]byte
}

// conn is one connection of the server.
type conn struct {
	fd      int
	echo    bool
	in, out []byte // received, to be sent
	left    int64  // bytes of body behind out
	closes  bool   // after what is to be sent
	waits   bool   // for room
}

func newServer() (*server, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &server{poll: p, listeners: map[int]int{}}
	for _, port := range []int{EchoPort, PlainPort, HTTPPort} {
		fd, err := listen(port)
		if err != nil {
			return nil, err
		}
		s.listeners[fd] = port
		if err := p.add(fd, unix.EPOLLIN); err != nil {
			return nil, err
		}
	}
	return s, sink()
}

func (s *server) run() error {
	for {
		events, err := s.poll.wait(-1)
		if err != nil {
			return err
		}
		for _, e := range events {
			fd := int(e.Fd)
			if port, ok := s.listeners[fd]; ok {
				s.accept(fd, port == EchoPort)
				continue
			}
			c := s.conns[fd]
			if c.waits {
				s.flush(c)
			} else {
				s.receive(c)
			}
		}
	}
}

func (s *server) accept(listener int, echo bool) {
	for range 64 {
		fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for fd >= len(s.conns) {
			s.conns = append(s.conns, make([]*conn, 1024)...)
		}
		if s.conns[fd] == nil {
			s.conns[fd] = &conn{fd: fd}
		}
		c := s.conns[fd]
		*c = conn{fd: fd, echo: echo, in: c.in[:0]}
		if s.poll.add(fd, unix.EPOLLIN) != nil {
			unix.Close(fd)
		}
	}
}

func (s *server) receive(c *conn) {
	n, err := unix.Read(c.fd, s.buf[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n <= 0 || err != nil || len(c.in) > maxRequest {
		unix.Close(c.fd)
		return
	}
	if c.echo {
		unix.Write(c.fd, s.buf[:n])
		return
	}
	c.in = append(c.in, s.buf[:n]...)
	end := bytes.Index(c.in, []byte("\r\n\r\n"))
	if end < 0 {
		return
	}
	s.answer(c, c.in[:end+4])
	c.in = append(c.in[:0], c.in[end+4:]...)
	s.flush(c)
}

// answer sets what the request is answered with: /n/N with N bytes, /s with 64
// bytes in all, /arrived with a count, else with a word on whether the mark is there.
func (s *server) answer(c *conn, request []byte) {
	path, _, _ := bytes.Cut(request[4:], []byte(" "))
	c.closes = bytes.Contains(request, []byte("\r\nConnection: close"))
	c.left = 0
	switch {
	case bytes.HasPrefix(path, []byte("/n/")):
		c.left, _ = strconv.ParseInt(string(path[3:]), 10, 64)
		c.out = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", c.left)
	case string(path) == arrivedPath:
		n, _ := arrived() // without it the client sees that nothing came
		c.out = arrivedAnswer(n)
	case string(path) == "/s":
		c.out = shortest
	case bytes.Contains(request, []byte(Mark)):
		c.out = answerKept
	default:
		c.out = answerGone
	}
}

// flush sends, up to a measure that lets other connections have their turn.
func (s *server) flush(c *conn) {
	for range 4 {
		if len(c.out) == 0 && c.left > 0 {
			n := min(c.left, int64(len(body)))
			c.out, c.left = body[:n], c.left-n
		}
		if len(c.out) == 0 {
			break
		}
		n, err := unix.Write(c.fd, c.out)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			unix.Close(c.fd)
			return
		}
		c.out = c.out[n:]
	}
	s.settle(c)
}

// settle waits for room where something is left to send, else for the next
// request.
func (s *server) settle(c *conn) {
	if more := len(c.out) > 0 || c.left > 0; more != c.waits {
		c.waits = more
		events := uint32(unix.EPOLLIN)
		if more {
			events = unix.EPOLLOUT
		}
		if s.poll.change(c.fd, events) != nil {
			unix.Close(c.fd)
			return
		}
	}
	if !c.waits && c.closes {
		unix.Close(c.fd)
	}
}
