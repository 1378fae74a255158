package supervise

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// A program may print this many lines at once and this many each second on
// average; the rest is counted. A log that runs away must not take the
// processor from the wire, nor the console from its user.
const (
	burst     = 100
	perSecond = 20
	longest   = 4096 // bytes of a line
)

// forward hands on each line of r until it ends.
func forward(r io.Reader, clock Clock, line func(string)) {
	in := bufio.NewReaderSize(r, longest)
	b := bucket{tokens: burst, at: clock.Now()}
	left := 0
	for {
		text, more, err := in.ReadLine()
		if err != nil {
			break
		}
		t := string(text)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		if !b.take(clock.Now()) {
			left++
			continue
		}
		if left > 0 {
			line(fmt.Sprintf("(%d lines left out, too many at once)", left))
			left = 0
		}
		line(t)
	}
	if left > 0 {
		line(fmt.Sprintf("(%d lines left out, too many at once)", left))
	}
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.tokens = min(burst, b.tokens+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
