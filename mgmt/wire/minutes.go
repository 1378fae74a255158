package wire

import (
	"slices"
	"time"
)

// MinutesKept is how many minutes of corrections are counted.
const MinutesKept = 120

// Minute is how many corrections there were in one minute.
type Minute struct {
	At time.Time `json:"at"` // its beginning
	N  uint64    `json:"n"`
}

// countMinute adds what the counter of corrections has grown by. One that is less
// than before is another process's.
func countMinute(list []Minute, before, now uint64, known bool, at time.Time) []Minute {
	grown := now
	if now >= before {
		grown = now - before
	}
	if !known {
		grown = 0
	}
	minute := at.UTC().Truncate(time.Minute)
	if n := len(list); n > 0 && !minute.After(list[n-1].At) {
		list[n-1].N += grown
		return list
	}
	if len(list) >= MinutesKept {
		list = slices.Delete(list, 0, len(list)-MinutesKept+1)
	}
	return append(list, Minute{minute, grown})
}
