package supervise

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestForwardLimitsLines(t *testing.T) {
	clock := &manual{now: make(chan time.Time, 1)}
	clock.now <- time.Unix(0, 0)
	var in strings.Builder
	for i := range burst + 50 {
		fmt.Fprintln(&in, i)
	}
	var got []string
	forward(strings.NewReader(in.String()), clock, func(s string) { got = append(got, s) })
	if len(got) != burst+1 || got[burst] != "(50 lines left out, too many at once)" {
		t.Errorf("forward handed on %d lines, last %q; want %d and the number of the others", len(got), got[len(got)-1], burst)
	}
}

func TestForwardCutsLongLines(t *testing.T) {
	clock := &manual{now: make(chan time.Time, 1)}
	clock.now <- time.Unix(0, 0)
	var got []string
	forward(strings.NewReader(strings.Repeat("x", 10*longest)+"\nnext\nno end"), clock, func(s string) { got = append(got, s) })
	if len(got) != 3 || len(got[0]) != longest || got[1] != "next" || got[2] != "no end" {
		t.Errorf("forward handed on %d lines; want a cut one, next and the one without an end", len(got))
	}
}

func TestBucketFillsAgain(t *testing.T) {
	now := time.Unix(0, 0)
	b := bucket{tokens: 1, at: now}
	if !b.take(now) || b.take(now) {
		t.Error("a bucket with one token gave another number; want one")
	}
	if !b.take(now.Add(time.Second / perSecond * 2)) {
		t.Error("after a while the bucket gave nothing; want a token")
	}
	b.take(now.Add(time.Hour))
	if b.tokens > burst {
		t.Errorf("bucket holds %v tokens after an hour; want at most %d", b.tokens, burst)
	}
}
