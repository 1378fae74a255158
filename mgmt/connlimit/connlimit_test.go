package connlimit

import (
	"io"
	"net"
	"testing"
)

func TestLimits(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, 3, 2)
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	refused := func(c net.Conn) {
		t.Helper()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection over the limit is kept; want it closed")
		}
	}
	dial("127.0.0.1")
	first := <-accepted
	dial("127.0.0.1")
	<-accepted
	refused(dial("127.0.0.1"))
	dial("127.0.0.2")
	<-accepted
	refused(dial("127.0.0.3")) // the total
	first.Close()
	first.Close() // counts once
	last := dial("127.0.0.3")
	c := <-accepted
	go func() { c.Write([]byte("x")) }()
	if b, err := io.ReadAll(io.LimitReader(last, 1)); err != nil || string(b) != "x" {
		t.Errorf("after one left: %q, %v; want a connection that works", b, err)
	}
	refused(dial("127.0.0.4"))
	if l.n != 3 || len(l.open) != 3 {
		t.Errorf("%d connections of %d addresses counted; want 3 of 3", l.n, len(l.open))
	}
}
