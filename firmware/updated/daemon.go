package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
)

// daemon does one thing at a time: work holds the lock meanwhile.
type daemon struct {
	options
	ctx      context.Context // until the program ends
	release  release.Release
	settings settings.Firmware
	wire     *control.Client
	logf     func(format string, a ...any)
	wake     chan struct{} // look into the repository now

	work   sync.Mutex
	client update.Client // guarded by work

	mu      sync.Mutex
	status  update.Status
	planned *time.Timer // puts the offered firmware in; nil: nobody has asked
	plans   int         // how many such timers there were: the last one counts
}

func (d *daemon) note(change func(*update.Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.status)
}

// schedule looks into the repository now and then, each box at another moment,
// so that a thousand do not come at once.
func (d *daemon) schedule(ctx context.Context) {
	if d.settings.Repository == "" {
		return
	}
	wait := firstWait(d.settings)
	for {
		d.note(func(s *update.Status) { s.NextCheck = time.Now().Add(wait) })
		select {
		case <-time.After(wait):
		case <-d.wake:
		case <-ctx.Done():
			return
		}
		d.pull(ctx)
		wait = nextWait(d.settings, d.offers(), now())
	}
}

// firstWait is how long a box waits after its start: not all of a site look at
// once after a power cut.
func firstWait(s settings.Firmware) time.Duration {
	return time.Duration(rand.Int64N(int64(min(s.Every, 10*time.Minute))))
}

// nextWait is how long it waits from then on: a tenth more or less each time. One
// that has firmware to put in is there in the window's first minutes.
func nextWait(s settings.Firmware, offers bool, now time.Time) time.Duration {
	wait := s.Every + time.Duration((rand.Float64()-0.5)*0.2*float64(s.Every))
	if until := s.Window.Until(now); s.Install == "window" && until > 0 && offers {
		wait = min(wait, until+time.Duration(rand.Int64N(int64(5*time.Minute))))
	}
	return wait
}

// offers says whether there is firmware that was not put in yet.
func (d *daemon) offers() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status.Offer != nil && d.status.Offer.Firmware != nil
}

// pull takes from the repository what is newer: of firmware only what has not
// been left on this box before.
func (d *daemon) pull(ctx context.Context) {
	d.work.Lock()
	defer d.work.Unlock()
	w, err := update.NewWeb(d.settings.Repository, d.settings.Proxy)
	var o *update.Offer
	if err == nil {
		o, err = d.take(ctx, w, false)
	}
	if err == nil && o.Firmware != nil && (d.settings.Install == "now" || d.settings.Install == "window" && d.settings.Window.Open(now())) {
		if err = heldBack(d.state, o.Firmware.Version); err == nil {
			err = d.takeFirmware(ctx, w, o.Firmware)
		}
	}
	d.ended(err)
}

// heldBack refuses firmware that is on this box and was left: put in again by
// itself, it would interrupt the wire each time, or undo what somebody chose.
func heldBack(file, version string) error {
	box, err := state.Read(file)
	if err != nil {
		return nil // without init there are no slots
	}
	for _, s := range box.Slots {
		if s.Version != version || s.Running {
			continue
		}
		what := ""
		switch s.State {
		case "set aside", "confirmed":
			what = "was left by hand for the one that runs"
		case "given up":
			what = "did not hold on this box"
		default:
			continue
		}
		return &update.Refusal{Code: update.HeldBack,
			Text: fmt.Sprintf("firmware %s %s, so it is not put in by itself; start or install it by hand, or wait for a newer one", version, what)}
	}
	return nil
}

// ended notes how a piece of work came out.
func (d *daemon) ended(err error) {
	d.note(func(s *update.Status) {
		s.State, s.LastError, s.LastCheck = update.Idle, nil, time.Now()
		var r *update.Refusal
		if err != nil && !errors.As(err, &r) {
			r = &update.Refusal{Code: update.Failed, Text: err.Error()}
		}
		s.LastError = r
	})
	if err != nil {
		d.remember("update", err)
		d.logf("update refused: %v", err)
	}
}

// take takes what the source has: definitions at once, firmware when it may.
func (d *daemon) take(ctx context.Context, s update.Source, firmware bool) (*update.Offer, error) {
	d.note(func(s *update.Status) { s.State = update.Checking })
	o, err := d.client.Check(ctx, s)
	if err != nil {
		return nil, err
	}
	shown := *o
	d.note(func(s *update.Status) { s.Offer = &shown })
	if o.Definitions != nil {
		if err := d.takeDefinitions(ctx, s, o.Definitions); err != nil {
			return o, err
		}
	}
	if o.Firmware != nil && firmware {
		return o, d.takeFirmware(ctx, s, o.Firmware)
	}
	return o, nil
}

func (d *daemon) download(ctx context.Context, s update.Source, i *update.Item) (string, error) {
	d.note(func(s *update.Status) { s.State, s.Bytes, s.Done = update.Downloading, i.Bytes, 0 })
	return d.client.Download(ctx, s, i, func(n int64) { d.note(func(s *update.Status) { s.Done = n }) })
}

// takeFirmware puts the firmware into the other slot and restarts the box.
func (d *daemon) takeFirmware(ctx context.Context, s update.Source, i *update.Item) error {
	file, err := d.download(ctx, s, i)
	if err != nil {
		return err
	}
	d.note(func(s *update.Status) { s.State = update.Installing })
	if err := d.client.InstallFirmware(file, i); err != nil {
		return err
	}
	d.logf("firmware %s is installed; restarting into it", i.Version)
	d.remember("firmware "+i.Version, nil)
	d.note(func(s *update.Status) { s.Offer = nil })
	// The file has served.
	err = os.Remove(file)
	// Who asked for it is told first.
	time.AfterFunc(time.Second, d.restart)
	return err
}

// restart asks init to restart the box.
func (d *daemon) restart() {
	if err := syscall.Kill(1, syscall.SIGINT); err != nil {
		d.logf("restart: %v; restart the box on its console", err)
	}
}

// takeDefinitions puts a pack in force without touching the wire. A pack of
// which the dataplane cannot use anything is taken back.
func (d *daemon) takeDefinitions(ctx context.Context, s update.Source, i *update.Item) error {
	file, err := d.download(ctx, s, i)
	if err != nil {
		return err
	}
	d.note(func(s *update.Status) { s.State = update.Installing })
	dir, err := d.client.InstallDefinitions(file, i)
	if err != nil {
		return err
	}
	before, err := os.Readlink(d.definitions)
	if err != nil {
		return err
	}
	if err := d.live(ctx, dir); err != nil {
		// Who asked may have gone, and ctx with it: the wire goes back all the same.
		back := errors.Join(d.lead(before), d.wire.Reload(context.WithoutCancel(ctx)))
		return &update.Refusal{Code: update.Failed, Text: fmt.Sprintf("definitions %d: %v; those before stay in force", i.Revision, errors.Join(err, back))}
	}
	if err := d.client.Use(i.Revision, d.client.Revision); err != nil {
		return err
	}
	d.client.Revision = i.Revision
	d.note(func(s *update.Status) { s.Revision = i.Revision; s.Offer.Definitions = nil })
	d.logf("definitions %d are in force", i.Revision)
	d.remember(fmt.Sprintf("definitions %d", i.Revision), nil)
	return os.Remove(file)
}

// live has the dataplane take the definitions in dir.
func (d *daemon) live(ctx context.Context, dir string) error {
	if err := d.awaitWire(ctx); err != nil {
		return err
	}
	if err := d.lead(dir); err != nil {
		return err
	}
	if err := d.wire.Reload(ctx); err != nil {
		return err
	}
	s, err := d.wire.Status(ctx)
	if err != nil {
		return err
	}
	for _, def := range s.Definitions {
		if def.Error == "" {
			return nil
		}
	}
	return errors.New("the dataplane can use none of them")
}

// awaitWire waits for a dataplane that is starting: on a slow machine the tests
// of its definitions take a while.
func (d *daemon) awaitWire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		_, err := d.wire.Status(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

const startTime = 10 * time.Minute

// lead moves the link that leads to the definitions in force, in one step.
func (d *daemon) lead(dir string) error {
	tmp := d.definitions + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(dir, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, d.definitions)
}
