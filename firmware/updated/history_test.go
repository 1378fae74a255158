package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"wirepatch/board/settings"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
)

func newDaemon(t *testing.T, dir string) *daemon {
	return &daemon{ctx: t.Context(), options: options{data: dir}, settings: settings.DefaultFirmware, logf: t.Logf}
}

// What was done outlasts a restart, is bounded, and a refusal that comes again
// and again is kept once.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	d := newDaemon(t, dir)
	d.remember("firmware 0.2.0", nil)
	for range 3 {
		d.remember("update", &update.Refusal{Code: update.Unreachable, Text: "nobody answers"})
	}
	d.remember("definitions 7", nil)
	d.remember("update", errors.New("disk on fire"))
	again := newDaemon(t, dir)
	again.readHistory()
	h := again.status.History
	if len(h) != 4 || h[0].Code != update.Failed || h[0].Text != "disk on fire" || h[1].What != "definitions 7" || h[1].Code != "" || h[2].Code != update.Unreachable || h[3].What != "firmware 0.2.0" {
		t.Errorf("history = %+v; want four pieces of work, latest first", h)
	}
	for range 2 * kept {
		again.remember("definitions 8", nil)
	}
	if n := len(again.status.History); n != kept {
		t.Errorf("%d are kept; want %d", n, kept)
	}
	if err := os.WriteFile(filepath.Join(dir, historyFile), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn := newDaemon(t, dir)
	torn.readHistory()
	if len(torn.status.History) != 0 {
		t.Errorf("a torn file gives %+v", torn.status.History)
	}
}

// A plan for the window outlasts a restart, and is given up when asked.
func TestPlan(t *testing.T) {
	dir := t.TempDir()
	d := newDaemon(t, dir)
	// A window that is far away, whatever the time of day.
	begin := time.Duration(time.Now().UTC().Hour()+12) % 24 * time.Hour
	d.settings.Window = settings.Window{From: begin, To: begin + time.Minute}
	var r *update.Refusal
	if err := d.plan(); !errors.As(err, &r) || r.Code != update.NotReady {
		t.Errorf("plan without an offer = %v; want %s", err, update.NotReady)
	}
	d.status.Offer = &update.Offer{Firmware: &update.Item{Version: "0.2.0"}}
	if err := d.plan(); err != nil || d.status.Planned.Hour() != int(begin/time.Hour) {
		t.Errorf("plan = %v, for %v; want the beginning of the window", err, d.status.Planned)
	}
	again := newDaemon(t, dir)
	again.settings.Window = d.settings.Window
	again.resumePlan()
	if again.status.Planned.IsZero() {
		t.Error("a restart forgets the plan")
	}
	for _, d := range []*daemon{d, again} {
		if err := d.unplan(); err != nil || !d.status.Planned.IsZero() {
			t.Errorf("unplan = %v, still for %v", err, d.status.Planned)
		}
	}
	last := newDaemon(t, dir)
	last.resumePlan()
	if !last.status.Planned.IsZero() {
		t.Error("what was given up is planned after a restart")
	}
}

// The window is by the clock that the box has when it comes, not by the one that it
// had at its start: without a battery that says when the firmware was made.
func TestPlanWhileTheClockIsNotSet(t *testing.T) {
	made := release.Released
	defer func() { release.Released = made }()
	for _, end := range []time.Duration{13 * time.Hour, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) { planWhileTheClockIsNotSet(t, settings.Window{From: 12 * time.Hour, To: end}) })
	}
}

func planWhileTheClockIsNotSet(t *testing.T, w settings.Window) {
	d := newDaemon(t, t.TempDir())
	d.settings.Window = w
	d.status.Offer = &update.Offer{Firmware: &update.Item{Version: "0.2.0"}}
	planned := func() bool {
		_, err := os.Stat(filepath.Join(d.data, planFile))
		d.mu.Lock()
		defer d.mu.Unlock()
		return err == nil && !d.status.Planned.IsZero()
	}
	// It is midnight, and the box takes it for eleven.
	release.Released = time.Now().Truncate(24 * time.Hour).Add(48*time.Hour - 13*time.Hour)
	if err := d.plan(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(90 * time.Minute)
	if synctest.Wait(); !planned() {
		t.Fatal("put in at half past one, by the clock from before it was set; want noon")
	}
	d.mu.Lock()
	release.Released = time.Time{}
	d.mu.Unlock()
	time.Sleep(10*time.Hour + 25*time.Minute)
	if synctest.Wait(); !planned() {
		t.Error("put in before noon")
	}
	time.Sleep(10 * time.Minute)
	if synctest.Wait(); planned() {
		t.Error("the window has come, and the plan still waits")
	}
}
