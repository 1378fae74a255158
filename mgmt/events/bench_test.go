package events

import (
	"flag"
	"path/filepath"
	"testing"
	"time"
)

var many = flag.Uint64("events", 100_000, "how many events BenchmarkSearch looks through; 5000000 is what is promised")

// BenchmarkSearch looks for what is common, rare and not there at all, and for
// two common things that never meet. On five million events that is broken off.
func BenchmarkSearch(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "e.db"), DefaultLimits)
	begun := time.Now()
	fill(b, s, 1, *many)
	b.Logf("%d events written, %.0f/s, %d MiB", *many, float64(*many)/time.Since(begun).Seconds(), s.Health().Bytes>>20)
	middle := start.Add(time.Duration(*many/2) * time.Second)
	for name, q := range map[string]Query{
		"newest":     {Limit: 50},
		"definition": {Definition: "WP-2023-3", Limit: 50},
		"client":     {Client: "192.0.2.7", Service: "web1", Limit: 50},
		"word":       {Words: "x-forwarded-prefix 192.0.2.7", Limit: 50},
		"rare word":  {Words: "change 10", Limit: 50},
		"none":       {Words: "nosuchword", Limit: 50},
		"never meet": {Kind: "link", Mode: "correct", Limit: 50},
		"period":     {From: middle, To: middle.Add(time.Hour), Definition: "WP-2023-3", Limit: 50},
	} {
		b.Run(name, func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				t := time.Now()
				if _, err := s.Search(b.Context(), q); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(t))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
			if worst > time.Second {
				b.Errorf("a search took %v; want less than a second", worst)
			}
		})
	}
}
