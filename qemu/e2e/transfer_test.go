package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"wirepatch/qemu/bed"
	"wirepatch/qemu/lab"
)

// TestBigFile: 100 MB are the same straight and through.
func TestBigFile(t *testing.T) {
	const bytes = 100_000_000
	straight := curlSum(t, appliance.Vulnerable.Address, bytes)
	through := curlSum(t, appliance.Through, bytes)
	if straight != through {
		t.Errorf("SHA-256 through the appliance is %s; straight it is %s", through, straight)
	}
}

// curlSum returns the SHA-256 of what curl gets.
func curlSum(t *testing.T, address string, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "curl", "-sS", "--fail", "--noproxy", "*",
		fmt.Sprintf("%sbig?bytes=%d", bed.URL("http", address), n))
	sum := sha256.New()
	count := &counter{Writer: sum}
	var complaints strings.Builder
	cmd.Stdout, cmd.Stderr = count, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl %s after %d bytes: %v\n%s", address, count.n, err, complaints.String())
	}
	if count.n != n {
		t.Errorf("curl %s got %d bytes; want %d", address, count.n, n)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

type counter struct {
	io.Writer
	n int
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return c.Writer.Write(b)
}

// TestKeepAlive: a thousand requests on a few connections, cut into segments
// anywhere, over IPv4 and IPv6, are answered byte for byte as straight.
func TestKeepAlive(t *testing.T) { keepAlive(t, appliance, 1000) }

func keepAlive(t *testing.T, bed *bed.Bed, requests int) {
	const perConnection = 250
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range requests / perConnection {
		straight, err := net.Dial("tcp", bed.Vulnerable.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer straight.Close()
		through, err := bed.Lab.Client.Dial(t.Context(), []netip.AddrPort{lab.Service4, lab.Service6}[n%2])
		if err != nil {
			t.Fatal(err)
		}
		defer through.Close()
		a, b := newReader(straight), newReader(through)
		for i := range perConnection {
			request := harmless(r, i)
			want, err := a.ask([][]byte{request})
			if err != nil {
				t.Fatalf("request %d straight: %v", i, err)
			}
			pieces := cut(r, request)
			got, err := b.ask(pieces)
			if err != nil {
				t.Fatalf("request %d in %d pieces through the appliance: %v\n%q", i, len(pieces), err, pieces)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("request %d in %d pieces: got %q; want %q\n%q", i, len(pieces), got, want, pieces)
			}
		}
	}
}

// harmless returns a request that no definition corrects.
func harmless(r *rand.Rand, i int) []byte {
	const head = "Host: portal.example\r\nX-Number: "
	body := bytes.Repeat([]byte{byte('a' + i%26)}, r.IntN(4000))
	switch r.IntN(5) {
	case 0:
		return fmt.Appendf(nil, "GET / HTTP/1.1\r\n%s%d\r\n\r\n", head, i)
	case 1:
		return fmt.Appendf(nil, "GET /download?name=%d.txt HTTP/1.1\r\n%s%d\r\n\r\n", i, head, i)
	case 2:
		return fmt.Appendf(nil, "GET /big?bytes=%d HTTP/1.1\r\n%s%d\r\n\r\n", r.IntN(20_000), head, i)
	case 3:
		return fmt.Appendf(nil, "POST /echo HTTP/1.1\r\n%s%d\r\nContent-Length: %d\r\n\r\n%s", head, i, len(body), body)
	}
	request := fmt.Appendf(nil, "POST /echo HTTP/1.1\r\n%s%d\r\nTransfer-Encoding: chunked\r\n\r\n", head, i)
	for _, c := range cut(r, body) {
		request = fmt.Appendf(request, "%x\r\n%s\r\n", len(c), c)
	}
	return append(request, "0\r\n\r\n"...)
}

// cut cuts b into at most eight pieces, none of them empty.
func cut(r *rand.Rand, b []byte) [][]byte {
	var pieces [][]byte
	for len(pieces) < 7 && len(b) > 1 {
		n := 1 + r.IntN(len(b)-1)
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	if len(b) > 0 {
		pieces = append(pieces, b)
	}
	return pieces
}

// reader asks on one connection.
type reader struct {
	net.Conn
	raw bytes.Buffer
	buf *bufio.Reader
}

func newReader(c net.Conn) *reader {
	r := &reader{Conn: c}
	r.buf = bufio.NewReader(io.TeeReader(c, &r.raw))
	return r
}

// ask sends each piece as a segment of its own and returns the answer as it
// came, without its Date.
func (r *reader) ask(pieces [][]byte) ([]byte, error) {
	r.SetDeadline(time.Now().Add(time.Minute))
	r.raw.Reset()
	for _, p := range pieces {
		if _, err := r.Write(p); err != nil {
			return nil, err
		}
	}
	resp, err := http.ReadResponse(r.buf, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	raw := r.raw.Bytes()
	date := []byte("Date: " + resp.Header.Get("Date"))
	return bytes.Replace(bytes.Clone(raw), date, []byte("Date: x"), 1), nil
}
