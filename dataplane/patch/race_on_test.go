//go:build race

package patch

// raceDetector: sync.Pool forgets at random under it, so allocations tell nothing.
const raceDetector = true
