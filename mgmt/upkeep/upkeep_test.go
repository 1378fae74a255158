package upkeep

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/board/state"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/store"
)

// What was done by itself is entered once each, also over a restart of the program.
func TestEnter(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{audit.Schema, Schema}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	quiet := slog.New(slog.DiscardHandler)
	trail := audit.New(db, time.Now, quiet, func(audit.Record) {})
	at := func(minute int, what, code string) update.Past {
		return update.Past{Time: time.Date(2026, 11, 26, 3, minute, 0, 0, time.UTC), What: what, Code: code, Text: map[bool]string{true: "no answer"}[code != ""]}
	}
	box := func(slots ...state.Slot) *state.Box { return &state.Box{Slots: slots} }
	old := at(0, "definitions 6", "")
	refused, again, other := at(1, "update", "failed"), at(9, "update", "failed"), at(10, "update", "bad-signature")
	put := at(11, "definitions 7", "")
	for i, st := range []struct {
		history []update.Past
		box     *state.Box
		want    string
	}{
		{[]update.Past{old}, nil, ""}, // from before anybody looked
		{[]update.Past{refused, old}, nil, "update.refused failed: no answer"},
		{[]update.Past{again, old}, box(state.Slot{Version: "0.1.0", State: "confirmed"}), ""},
		{[]update.Past{put, other, again, old}, nil, "update.refused bad-signature: no answer; update.put-in"},
		{[]update.Past{put, other, again, old}, box(state.Slot{Version: "0.2.0", State: "given up"}), "firmware.given-up it did not hold; the firmware before it runs"},
		{[]update.Past{put, other, again, old}, box(state.Slot{Version: "0.2.0", State: "given up"}), ""},
		{nil, nil, ""},
		{[]update.Past{put, other, again, old}, box(state.Slot{Version: "0.2.0", State: "given up"}), ""},
	} {
		head, err := trail.Head()
		if err != nil {
			t.Fatal(err)
		}
		w := &Watcher{DB: db, Audit: trail, Log: quiet} // a new one, as after a restart
		if err := w.enter(st.history, st.box); err != nil {
			t.Fatal(err)
		}
		list, err := trail.Since(head.Seq, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			e, err := r.Entry()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.TrimSpace(e.Action+" "+e.Detail))
		}
		if text := strings.Join(got, "; "); text != st.want {
			t.Errorf("look %d enters %q; want %q", i, text, st.want)
		}
	}
}
