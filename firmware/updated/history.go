package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/update"
)

// historyFile keeps what was done, for the page. A factory reset leaves it.
const historyFile = "history.json"

// kept is how much of it there is.
const kept = 50

// readHistory reads what earlier runs did. What cannot be read is begun anew.
func (d *daemon) readHistory() {
	var all []update.Past
	text, err := os.ReadFile(filepath.Join(d.data, historyFile))
	if err == nil && json.Unmarshal(text, &all) == nil {
		d.note(func(s *update.Status) { s.History = all[:min(len(all), kept)] })
	}
}

// remember keeps how a piece of work ended. The same refusal again, as of a
// repository that does not answer for a week, is kept once, with its last time.
func (d *daemon) remember(what string, err error) {
	p := update.Past{Time: now().UTC(), What: what}
	if err != nil {
		p.Code, p.Text = update.Failed, err.Error()
		var r *update.Refusal
		if errors.As(err, &r) {
			p.Code = r.Code
		}
	}
	var all []update.Past
	d.note(func(s *update.Status) {
		all = slices.Clone(s.History)
		if len(all) > 0 && p.Code != "" && all[0].Code == p.Code && all[0].What == what {
			all = all[1:]
		}
		all = append([]update.Past{p}, all...)
		s.History = all[:min(len(all), kept)]
		all = s.History
	})
	text, err := json.Marshal(all)
	if err == nil {
		err = atomicfile.Write(filepath.Join(d.data, historyFile), text, 0o600)
	}
	if err != nil {
		d.logf("history: %v", err)
	}
}

// planFile says that the offered firmware is to be put in in the window: also
// when the box restarts before.
const planFile = "planned"

// plan has the offered firmware put in when the window is open.
func (d *daemon) plan() error {
	if !d.offers() {
		return &update.Refusal{Code: update.NotReady, Text: "no firmware is offered; look for updates first"}
	}
	if err := atomicfile.Write(filepath.Join(d.data, planFile), nil, 0o600); err != nil {
		return err
	}
	d.arm()
	return nil
}

// resumePlan goes on with the plan of an earlier run.
func (d *daemon) resumePlan() {
	if _, err := os.Stat(filepath.Join(d.data, planFile)); err == nil {
		d.arm()
	}
}

// askClock is how often a plan looks at the clock: a box that has just started may
// have had none when the plan was taken up again.
const askClock = time.Minute

// arm sets the clock to the next window. A plan is for one window: what fails in
// it is not tried again by itself.
func (d *daemon) arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setPlan()
}

// setPlan does so; d.mu is held.
func (d *daemon) setPlan() {
	if d.planned != nil {
		d.planned.Stop()
	}
	wait := d.settings.Window.Until(now())
	d.status.Planned = now().Add(wait).UTC()
	d.plans++
	mine := d.plans
	d.planned = time.AfterFunc(min(wait, askClock), func() {
		if !d.planDue(mine) {
			return
		}
		if err := d.unplan(); err != nil {
			d.logf("plan: %v", err)
			return
		}
		if err := d.install(d.ctx); err != nil {
			d.logf("update in its window: %v", err)
		}
	})
}

// planDue says whether the window of the plan with this timer is open. Where it is
// not, the timer is set anew, unless the plan was given up.
func (d *daemon) planDue(timer int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.planned == nil || d.plans != timer {
		return false
	}
	// A window without length is open at no time, and has come all the same.
	if t := now(); d.settings.Window.Open(t) || !t.Before(d.status.Planned) && t.Before(d.status.Planned.Add(askClock)) {
		return true
	}
	d.setPlan()
	return false
}

// unplan gives the plan up.
func (d *daemon) unplan() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.planned != nil {
		d.planned.Stop()
		d.planned, d.status.Planned = nil, time.Time{}
	}
	return atomicfile.Remove(filepath.Join(d.data, planFile))
}
