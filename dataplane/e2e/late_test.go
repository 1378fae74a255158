package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
)

// A part that is to have another name gets it, and where its body is too long to be
// held the session ends before the part reaches the server.
func TestLateParts(t *testing.T) {
	b := newBoxWith(t, "tcx", settingsText, "testdata/late")
	b.sound(t)
	l := listen(t, b)
	part := func(name, value string) string {
		return "--B\r\nContent-Disposition: form-data; " + name + "\r\n\r\n" + value + "\r\n"
	}
	post := func(body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	filler := part(`name="file"; filename="f"`, strings.Repeat("0123456789abcde ", 25_000))
	c, server := pair(t, b, l)
	c.exchange(t, server, post(part(`name*=utf-8''%45vil`, "x")+"--B--\r\n"), post(part(`name*=utf-8''good`, "x")+"--B--\r\n"))
	harmless := post(filler + part(`name="devil"`, "x") + "--B--\r\n")
	c.exchange(t, server, harmless, harmless)
	c, server = pair(t, b, l)
	go func() {
		io.WriteString(c, post(filler+part(`name="evil"`, "x")+"--B--\r\n")) // which may not be all taken
		c.Conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if !errors.Is(err, syscall.ECONNRESET) || len(got) == 0 || strings.Contains(string(got), "evil") {
		t.Errorf("the server has read %d bytes, the last %q, and %v; want some of what is before the part, and a reset", len(got), got[max(0, len(got)-60):], err)
	}
	b.event(t, "correction", "WP-2026-part")
}

// A Close that is refused does not reach the server of a WebSocket.
func TestRefusedClose(t *testing.T) {
	b := newBoxWith(t, "tcx", settingsText, "testdata/late")
	b.sound(t)
	c, server := pair(t, b, listen(t, b))
	const (
		request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		answer  = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
		hello   = "\x81\x82\x00\x00\x00\x00hi"
	)
	for _, s := range []struct {
		from           io.Writer
		sends          string
		server, client string
	}{
		{c, request, request, ""},
		{server, answer, "", answer},
		{c, hello + "\x08\x80\x01\x02\x03\x04", hello + "\x89\x85\x00\x00\x00\x00fence\x88\x80\x00\x00\x00\x00", ""},
		{server, "\x8a\x05fence\x88\x00", "", "\x88\x02\x03\xea"},
	} {
		if _, err := io.WriteString(s.from, s.sends); err != nil {
			t.Fatal(err)
		}
		expect(t, server, s.server)
		expect(t, c, s.client)
	}
	server.Close()
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("the client reads %q behind it, %v; want the end of the session", rest, err)
	}
	b.event(t, "correction", "WP-2026-frame")
}
