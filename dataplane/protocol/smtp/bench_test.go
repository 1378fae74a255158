package smtp

import (
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/session"
)

// mails are what a mail may be made of, over and over.
var mails = map[string]string{
	"long lines": strings.Repeat("x", 70) + "\r\n", "short lines": "xx\r\n", "dots on lines": ".x\r\n", "dots": ".", "dots behind bare LF": ".x\n", "a folded field": " .\r\n",
}

const mailSize = 40 << 10

// playMail sends a mail through a decoder in segments of a size, holding what it
// holds, without what the wire of the other tests does beside.
func playMail(t testing.TB, kinds, text string, segment int) {
	d := decoder(only{nothing, kinds})
	d.Inspect(session.ToClient, []byte("220 x\r\n"), false)
	d.Inspect(session.ToServer, []byte("DATA\r\n"), false)
	d.Inspect(session.ToClient, []byte("354 go\r\n"), false)
	b := []byte("a: b\r\n" + strings.Repeat(text, mailSize/len(text)))
	for from, end := 0, 0; end < len(b); {
		end = min(end+segment, len(b))
		v := d.Inspect(session.ToServer, b[from:end], false)
		if v.End != session.Continue {
			t.Fatal(v.Evidence[0].Note)
		}
		from += int(v.Release)
	}
}

// BenchmarkMail is what an octet of a mail costs, by what it is made of, by what
// rules ask for and by the segments that it comes in.
func BenchmarkMail(b *testing.B) {
	for _, kinds := range []string{"mail.header", "mail.line"} {
		for name, text := range mails {
			for size, segments := range map[int]string{mailSize * 2: "whole", 1460: "segments", 16: "small segments"} {
				b.Run(kinds+"/"+name+"/"+segments, func(b *testing.B) {
					b.SetBytes(mailSize)
					for b.Loop() {
						playMail(b, kinds, text, size)
					}
				})
			}
		}
	}
}

// What is held of a mail is not looked at from its beginning with each segment.
// Most of these took hundreds of times as long as long lines once.
func TestSmallSegments(t *testing.T) {
	took := func(kinds, text string) time.Duration {
		best := time.Hour
		for range 5 {
			began := time.Now()
			playMail(t, kinds, text, 16)
			best = min(best, time.Since(began))
		}
		return best
	}
	for _, kinds := range []string{"mail.header", "mail.line"} {
		usual := took(kinds, mails["long lines"])
		for name, text := range mails {
			if d := took(kinds, text); d > 100*usual {
				t.Errorf("%s, shown %s: %v; want at most 100 times the %v of long lines", name, kinds, d, usual)
			}
		}
	}
}

// Nor is what is held of a reply.
func TestReplyInOctets(t *testing.T) {
	reply := []byte(strings.Repeat("250-\r\n", 4000))
	read := func() session.Inspector {
		d := decoder(nothing)
		d.Inspect(session.ToClient, []byte("220 x\r\n"), false)
		return d
	}
	began := time.Now()
	for range 10 {
		read().Inspect(session.ToClient, reply, false)
	}
	whole := time.Since(began) / 10
	d, began := read(), time.Now()
	for n := range reply {
		if v := d.Inspect(session.ToClient, reply[:n+1], false); v.Release != 0 || v.End != session.Continue {
			t.Fatalf("after %d octets %+v", n, v)
		}
	}
	if took := time.Since(began); took > 200*whole {
		t.Errorf("octet by octet: took %v; the whole takes %v", took, whole)
	}
}
