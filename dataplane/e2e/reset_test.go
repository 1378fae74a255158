package e2e

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestServerResets has a real server reset the session where the box holds what it
// has answered, as one does that closes with a part of the request unread. The
// client reads the answer, corrected, and then the reset.
func TestServerResets(t *testing.T) { eachWay(t, testServerResets) }

func testServerResets(t *testing.T, attach string) {
	b := newBoxWith(t, attach, settingsText, "testdata/bodies")
	l := listen(t, b)
	const request, head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n"
	long := strings.Repeat("0123456789abcde ", 6000)
	for _, tt := range []struct {
		name, answer, want string
		late               bool // not before the answer is acknowledged
	}{
		{"a short answer", head + "a secret", head + "a nothing at all", false},
		{"one that is acknowledged", head + "a secret", head + "a nothing at all", true},
		{"one with nothing to correct", head + "no cause", head + "no cause", false},
		{"one of many segments", head + long + "secret", head + long + "nothing at all", true},
		{"a part of one", "HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\na part", "HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\na part", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, server := pair(t, b, l)
			if _, err := io.WriteString(c, request+"\r\n"); err != nil {
				t.Fatal(err)
			}
			expect(t, server, request)
			if _, err := io.WriteString(server, tt.answer); err != nil {
				t.Fatal(err)
			}
			if tt.late {
				untilAcknowledged(t, server)
			}
			resets(t, server)
			got, err := io.ReadAll(c)
			if !errors.Is(err, syscall.ECONNRESET) || string(got) != tt.want {
				t.Errorf("the client has read %d bytes, %.100q, and %v; want %d and a reset", len(got), got, err, len(tt.want))
			}
		})
	}
}

// untilAcknowledged waits until the system has heard that all it sent has arrived.
func untilAcknowledged(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		left := 0
		raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		switch {
		case err != nil:
			t.Fatal(err)
		case left == 0:
			return
		case time.Now().After(end):
			t.Fatalf("%d bytes that the server has sent are not acknowledged", left)
		}
	}
}

// resets closes a connection with a reset.
func resets(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
}
