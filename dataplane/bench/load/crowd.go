package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a load waits for the next byte before it gives up.
const patience = 10 * time.Second

// shortRequest has 64 bytes.
var shortRequest = []byte("GET /s HTTP/1.1\r\nHost: 10.77.0.2\r\nAccept: text/plain--------\r\n\r\n")

// request is what a client commonly sends.
func request(marked, closes bool) []byte {
	b := []byte("GET /shop/item?id=4711 HTTP/1.1\r\nHost: 10.77.0.2\r\nUser-Agent: bench/1.0\r\nAccept: text/html,*/*;q=0.8\r\n" +
		"Accept-Encoding: gzip\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: theme=dark\r\n")
	if marked {
		b = append(b, Mark+": 0123456789\r\n"...)
	}
	if closes {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// crowd is a load of several connections that are served as they come.
type crowd struct {
	*client
	order   Order
	to      netip.AddrPort
	poll    *poller
	request []byte
	got     []int64     // by file descriptor: bytes of the present answer
	want    []int64     // by file descriptor: bytes that it has
	open    []bool      // by file descriptor
	asked   []time.Time // by file descriptor
	r       Result
}

func (c *client) crowd(to netip.AddrPort, o Order) (Result, error) {
	poll, err := newPoller()
	if err != nil {
		return Result{}, err
	}
	k := &crowd{client: c, order: o, to: to, poll: poll, request: request(o.Marked, o.Kind == Connects)}
	if o.Kind == Stream {
		k.request = fmt.Appendf(nil, "GET /n/%d HTTP/1.1\r\nHost: 10.77.0.2\r\nConnection: close\r\n\r\n", o.Bytes)
	}
	defer k.close()
	began := time.Now()
	for range o.Connections {
		if err := k.begin(); err != nil {
			return Result{}, err
		}
	}
	err = k.run(began.Add(o.Duration))
	k.r.Elapsed = time.Since(began)
	return k.r, err
}

func (k *crowd) close() {
	for fd, open := range k.open {
		if open {
			unix.Close(fd)
		}
	}
	k.poll.close()
}

func (k *crowd) begin() error {
	fd, err := connect(k.to, false)
	if err != nil {
		return err
	}
	for fd >= len(k.got) {
		k.got, k.want, k.open, k.asked = append(k.got, 0), append(k.want, 0), append(k.open, false), append(k.asked, time.Time{})
	}
	k.got[fd], k.open[fd] = -1, true
	return k.poll.add(fd, unix.EPOLLOUT)
}

func (k *crowd) run(end time.Time) error {
	heard := time.Now()
	for {
		events, err := k.poll.wait(100)
		if err != nil {
			return err
		}
		now := time.Now()
		if now.After(end) {
			return nil
		}
		if len(events) > 0 {
			heard = now
		} else if now.Sub(heard) > patience {
			return errors.New("nothing comes any more")
		}
		for _, e := range events {
			if err := k.serve(int(e.Fd)); err != nil {
				return err
			}
		}
	}
}

func (k *crowd) serve(fd int) error {
	if k.got[fd] < 0 { // connected, or not
		if err := k.poll.change(fd, unix.EPOLLIN); err != nil {
			return err
		}
		return k.ask(fd)
	}
	n, err := unix.Read(fd, k.buf[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if k.got[fd] == 0 && n > 0 {
		if err := k.head(fd, k.buf[:n]); err != nil {
			return err
		}
	}
	k.got[fd] += int64(n)
	k.r.Bytes += int64(n)
	if k.order.Kind == Requests {
		return k.next(fd, n)
	}
	if n > 0 {
		return nil
	}
	return k.again(fd)
}

// head reads from an answer's head how long the answer is.
func (k *crowd) head(fd int, b []byte) error {
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	_, length, found := bytes.Cut(head, []byte("Content-Length: "))
	if !ok || !found || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 OK\r\n")) {
		return fmt.Errorf("the server answers %q", b[:min(len(b), 80)])
	}
	length, _, _ = bytes.Cut(length, []byte("\r"))
	n, err := strconv.ParseInt(string(length), 10, 64)
	if err != nil {
		return fmt.Errorf("the server's answer has a length that is none: %w", err)
	}
	k.want[fd] = int64(len(head)) + 4 + n
	if bytes.HasPrefix(body, []byte("kept")) {
		k.r.Kept++
	}
	return nil
}

func (k *crowd) ask(fd int) error {
	k.got[fd], k.asked[fd] = 0, time.Now()
	if _, err := unix.Write(fd, k.request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// next asks anew on the same connection once the answer is complete.
func (k *crowd) next(fd, n int) error {
	if n == 0 {
		return errors.New("the server closed the connection")
	}
	if k.got[fd] < k.want[fd] {
		return nil
	}
	k.r.Count++
	k.r.Longest = max(k.r.Longest, time.Since(k.asked[fd]))
	return k.ask(fd)
}

// again opens the next connection once this one has ended.
func (k *crowd) again(fd int) error {
	if k.got[fd] == 0 || k.got[fd] < k.want[fd] {
		return fmt.Errorf("the connection ended after %d of %d bytes", k.got[fd], k.want[fd])
	}
	unix.Close(fd)
	k.open[fd] = false
	k.r.Count++
	return k.begin()
}
