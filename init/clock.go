package main

import (
	"context"
	"fmt"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"

	"wirepatch/firmware/release"
)

// How often time servers are asked: until one has answered, and from then on.
const (
	askSoon  = 30 * time.Second
	askLater = time.Hour
)

// stepFrom is the fault from which on the clock is set at once; less is evened
// out little by little, so that time never runs backwards for a running session.
const stepFrom = 500 * time.Millisecond

// floorClock sets the clock to the day on which the firmware was made when it
// says less: its battery died. Certificates and updates are good again then.
func (b *box) floorClock() error {
	now := time.Now()
	if !now.Before(release.Released) {
		return nil
	}
	b.journal.Logf("clock: %s is before this firmware was made; set to %s", now.UTC().Format(time.DateOnly), release.Released.Format(time.DateOnly))
	return setClock(release.Released)
}

func setClock(t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("set clock: %w", err)
	}
	return nil
}

// keepTime asks the time servers of the settings, as they change, one after the
// other.
func (b *box) keepTime(ctx context.Context) {
	servers := b.settings.Time.Servers
	said := ""
	for wait := time.Duration(0); ; {
		var due <-chan time.Time
		if len(servers) > 0 {
			due = time.After(wait)
		}
		select {
		case servers = <-b.timeFrom:
			wait = 0
			continue
		case <-due:
		case <-ctx.Done():
			return
		}
		from, offset, err := askTime(servers)
		if err == nil {
			err = adjust(offset)
		}
		if err != nil {
			// Its text differs from time to time, by the port that was used.
			if wait = askSoon; said != "fault" {
				said = "fault"
				b.journal.Logf("clock: %v", err)
			}
			continue
		}
		if wait = askLater; said != from {
			said = from
			b.journal.Logf("clock: set by %s, off by %v", from, offset.Round(time.Millisecond))
		}
	}
}

// askTime returns how far the clock is off, by the first server that answers
// with something that can be.
func askTime(servers []string) (from string, offset time.Duration, err error) {
	for _, s := range servers {
		var r *ntp.Response
		if r, err = ntp.QueryWithOptions(s, ntp.QueryOptions{Timeout: 5 * time.Second}); err != nil {
			continue
		}
		if err = r.Validate(); err != nil {
			continue
		}
		if r.Time.Before(release.Released) {
			err = fmt.Errorf("it says %s, which is before this firmware was made", r.Time.UTC().Format(time.DateOnly))
			continue
		}
		return s, r.ClockOffset, nil
	}
	return "", 0, fmt.Errorf("no time server answers, of %q: %w", servers, err)
}

func adjust(offset time.Duration) error {
	if offset.Abs() >= stepFrom {
		return setClock(time.Now().Add(offset))
	}
	if _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: offset.Microseconds()}); err != nil {
		return fmt.Errorf("adjust clock: %w", err)
	}
	return nil
}
