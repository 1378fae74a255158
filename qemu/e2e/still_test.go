package e2e

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"wirepatch/qemu/lab"
)

// stoppedFor is how long the engine stood still, in the event that tells that
// frames went past it.
var stoppedFor = regexp.MustCompile(`inspection had stopped for ([0-9.]+[a-zµ]+)`)

// TestStandsStill takes all processors from the machine again and again, as a host
// with too much to do takes them from its guests. What waits at its ports is not to
// go past the engine before that has had its turn, unless it had none for two
// seconds, as on a host that is busy besides.
func TestStandsStill(t *testing.T) {
	m := manage(t)
	since := m.last()
	ctx, cancel := context.WithTimeout(t.Context(), terminalTime)
	defer cancel()
	asked, done := make(chan int), make(chan error, 1)
	var past atomic.Int64
	go func() { done <- triggers(ctx, asked, &past) }()
	for range 8 {
		for range 3 {
			select {
			case <-asked:
			case err := <-done:
				t.Fatal(err)
			}
		}
		if err := appliance.VM.StandStill(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, r := range m.events(since) {
		if found := stoppedFor.FindStringSubmatch(r.Text); found != nil && !long(found[1]) {
			t.Errorf("event %q; want none", r.Text)
		}
	}
	if n := past.Load(); n != 0 {
		m.untilTold(since, fmt.Sprintf("none, and no trigger at the server; %d are there. Or a stop of two seconds", n), func(text string) bool {
			found := stoppedFor.FindStringSubmatch(text)
			return found != nil && long(found[1])
		})
	}
}

// long says whether an engine that stood still for so long was that much without a
// processor.
func long(stopped string) bool {
	d, err := time.ParseDuration(stopped)
	return err == nil && d >= 2*time.Second
}

// triggers sends one after the other, each in a session of its own, until ctx
// ends, and counts those that go past. The portal names the evil place in its
// answer then.
func triggers(ctx context.Context, asked chan<- int, past *atomic.Int64) error {
	const trigger = "GET /docs HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: https://evil.example\r\n\r\n"
	for ctx.Err() == nil {
		c, err := appliance.Lab.Client.Dial(ctx, lab.Service4)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := newReader(c).ask([][]byte{[]byte(trigger)})
		c.Close()
		if err != nil {
			return err
		}
		if bytes.Contains(answer, []byte("evil.example")) {
			past.Add(1)
		}
		select {
		case asked <- 1:
		case <-ctx.Done():
		}
	}
	return nil
}
