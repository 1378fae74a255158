package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// conn is one keep-alive connection of the client's.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, n *netns.NS, addr string) *conn {
	t.Helper()
	var c net.Conn
	n.Must(t, func() (err error) {
		c, err = net.DialTimeout("tcp", addr, patience)
		return err
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	return newConn(c)
}

func newConn(c net.Conn) *conn { return &conn{c, bufio.NewReader(c)} }

// get asks for a path with these header lines, in pieces cut at random when cut
// is not nil, and returns the response without what tells the time.
func (c *conn) get(t *testing.T, path, headers string, cut *rand.Rand) string {
	t.Helper()
	got, err := c.try(path, headers, cut)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return got
}

// try is get for other goroutines than the test's own.
func (c *conn) try(path, headers string, cut *rand.Rand) (string, error) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n")
	for len(request) > 0 {
		n := len(request)
		if cut != nil {
			n = 1 + cut.IntN(n)
		}
		if _, err := c.Write(request[:n]); err != nil { // TCP_NODELAY is Go's default: a segment of its own
			return "", err
		}
		request = request[n:]
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	for _, h := range []string{"Date", "Last-Modified", "Etag"} {
		resp.Header.Del(h)
	}
	return fmt.Sprint(resp.Status, resp.Header, string(body)), nil
}

// TestKeepAliveInPieces sends a thousand requests on one connection, each cut at
// random, and compares the responses with those of the server itself.
func TestKeepAliveInPieces(t *testing.T) { eachWay(t, testKeepAliveInPieces) }

func testKeepAliveInPieces(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	cut := rand.New(rand.NewPCG(1, 2))
	through, straight := dial(t, b.Client, "10.77.0.2:80"), dial(t, b.Client, "10.77.0.2:8080")
	for i := range 1000 {
		path, headers := "/echo", fmt.Sprintf("X-Kept: %d %0*d\r\n", i, cut.IntN(600), 0)
		if i%3 == 0 {
			path = "/nothing-here"
		}
		want := straight.get(t, path, headers, nil)
		if i%5 == 0 {
			headers += "X-Removed: yes\r\n"
		}
		if got := through.get(t, path, headers, cut); got != want {
			t.Fatalf("request %d: through the box %q; straight %q", i, got, want)
		}
	}
	if s := b.status(t); s.Sessions.Open != 1 || s.Sessions.Edited != 1 || s.Corrections != 200 {
		t.Errorf("status: sessions %+v, corrections %d; want one edited session with 200", s.Sessions, s.Corrections)
	}
}
