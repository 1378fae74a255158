package wire

import (
	"testing"
	"time"
)

func TestMinutes(t *testing.T) {
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	var list []Minute
	var before uint64
	known := false
	step := func(seconds int, counter uint64) {
		at = at.Add(time.Duration(seconds) * time.Second)
		list = countMinute(list, before, counter, known, at)
		before, known = counter, true
	}
	step(0, 500) // what was before is nobody's minute
	step(10, 503)
	step(49, 504)
	step(1, 510) // the next minute
	step(60, 2)  // another process counts from nought
	step(-90, 5) // a clock that was set back
	want := []uint64{4, 6, 5}
	if len(list) != len(want) {
		t.Fatalf("%+v; want %v", list, want)
	}
	for i, n := range want {
		if list[i].N != n {
			t.Errorf("%+v; want %v", list, want)
		}
	}
	for range 2 * MinutesKept {
		step(60, before+1)
	}
	if len(list) != MinutesKept {
		t.Errorf("%d minutes are kept; want %d", len(list), MinutesKept)
	}
}
