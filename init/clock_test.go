package main

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"
)

// timeServer is a time server on the loopback; it says what now returns.
func timeServer(t *testing.T, now func() time.Time) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for b := make([]byte, 512); ; {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			// RFC 5905: version 4, server; stratum 1; the client's transmit time
			// comes back as originate.
			out := make([]byte, 48)
			out[0], out[1], out[2], out[3] = 4<<3|4, 1, 6, 0xec
			copy(out[24:32], b[40:48])
			stamp := func(at int) {
				d := now().Sub(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))
				binary.BigEndian.PutUint32(out[at:], uint32(d/time.Second))
				binary.BigEndian.PutUint32(out[at+4:], uint32(uint64(d%time.Second)<<32/uint64(time.Second)))
			}
			for _, at := range []int{16, 32, 40} {
				stamp(at)
			}
			c.WriteTo(out, from)
		}
	}()
	return c.LocalAddr().String()
}

func TestAskTime(t *testing.T) {
	ahead := timeServer(t, func() time.Time { return time.Now().Add(365 * 24 * time.Hour) })
	past := timeServer(t, func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) })
	from, offset, err := askTime([]string{past, ahead})
	if err != nil || from != ahead || (offset-365*24*time.Hour).Abs() > time.Minute {
		t.Errorf("askTime = %s, %v, %v; want the second server, a year ahead", from, offset, err)
	}
	if _, _, err := askTime([]string{past}); err == nil || !strings.Contains(err.Error(), "before this firmware was made") {
		t.Errorf("askTime of a server in the past = %v; want an error that says so", err)
	}
}
