// Package upkeep enters into the audit log what the update program and init do by
// themselves, at night or after a restart: definitions and firmware put in, updates
// refused, firmware that did not hold. From there it goes out to other systems. It
// asks for nothing to be done.
package upkeep

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"wirepatch/board/state"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/visible"
)

const table = "updates_seen"

// Schema keeps up to where all was entered.
var Schema = store.NamedSchema(table)

// seen is what was entered already.
type seen struct {
	Last    update.Past `json:"last"`     // the latest of the history
	GivenUp []string    `json:"given_up"` // firmware that did not hold
}

// every is the time between two looks.
const every = 15 * time.Second

// Watcher looks at the history of updates, and at the firmware slots.
type Watcher struct {
	DB      *store.DB
	Audit   *audit.Log
	Updates func(context.Context) (*update.Status, error)
	Box     func() *state.Box // nil: not known
	Log     *slog.Logger
}

// Run looks until ctx ends. That the update program does not answer is said
// elsewhere.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if st, err := w.Updates(ctx); err == nil {
			if err := w.enter(st.History, w.Box()); err != nil {
				w.Log.Warn("what the update program did is not in the audit log", "cause", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// enter compares with what was entered. The history has the latest first; what is
// in it at the very first look is from before.
func (w *Watcher) enter(history []update.Past, box *state.Box) error {
	kept := store.Named[seen]{DB: w.DB, Table: table}
	before, found, err := kept.Get("box")
	if err != nil {
		return err
	}
	now := before
	var entries []audit.Entry
	if len(history) > 0 {
		now.Last = history[0]
		if found {
			for _, p := range slices.Backward(fresh(history, before.Last)) {
				entries = append(entries, entryOf(p))
			}
		}
	}
	if box != nil {
		now.GivenUp = nil
		for _, sl := range box.Slots {
			if sl.State != "given up" {
				continue
			}
			now.GivenUp = append(now.GivenUp, sl.Version)
			if !slices.Contains(before.GivenUp, sl.Version) {
				entries = append(entries, audit.Entry{Who: "init", Action: "firmware.given-up", Object: "firmware " + visible.Line(sl.Version), Detail: "it did not hold; the firmware before it runs", Outcome: "failed"})
			}
		}
	}
	if found && sameUpdate(now.Last, before.Last) && slices.Equal(now.GivenUp, before.GivenUp) {
		return nil
	}
	if err := kept.Put("box", now); err != nil {
		return err
	}
	for _, e := range entries {
		w.Audit.Add(e)
	}
	return nil
}

// sameUpdate: the same refusal again has another time only.
func sameUpdate(a, b update.Past) bool {
	return a.What == b.What && a.Code == b.Code && (a.Code != "" || a.Time.Equal(b.Time))
}

// fresh are those of the history above the one that was entered last.
func fresh(history []update.Past, last update.Past) []update.Past {
	i := slices.IndexFunc(history, func(p update.Past) bool { return sameUpdate(p, last) })
	if i < 0 {
		return history
	}
	return history[:i]
}

func entryOf(p update.Past) audit.Entry {
	e := audit.Entry{Who: "updates", Action: "update.put-in", Object: visible.Line(p.What), Outcome: "done"}
	if p.Code != "" {
		e.Action, e.Outcome, e.Detail = "update.refused", "failed", visible.Line(p.Code+": "+p.Text)
	}
	return e
}
