package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"wirepatch/dataplane/control"
)

// StandingSchema is how each vulnerability on each server stood, and from when on.
const StandingSchema = `
CREATE TABLE standing(address TEXT NOT NULL, cve TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, definition TEXT NOT NULL, version TEXT NOT NULL, why TEXT NOT NULL,
  PRIMARY KEY(address, cve, at)) WITHOUT ROWID;
CREATE INDEX standing_at ON standing(at);
`

// maxStandings bounds the history; what was superseded longest ago gives way.
const maxStandings = 500_000

// Tracker works out the exposures when something that they depend on has
// changed, and keeps them until then; and it keeps a history of how they stood.
type Tracker struct {
	Store       *Store
	Definitions string // folder of the inline patches
	Wire        func() (status *control.Status, answers bool)
	Now         func() time.Time

	mu       sync.Mutex
	key      string // what the view was made from
	view     *View
	products map[string]Definition
	folder   string // what products was read from
	advice   []Advisory
	revision uint64 // of the store, when advice was read
	known    bool
	standing map[[2]string]Standing
	stamp    string    // of the folder,
	looked   time.Time // when it was looked at
}

// View is what is exposed at one moment. It is never changed afterwards.
type View struct {
	At         time.Time
	Servers    []Server
	Exposures  []Exposure
	Advisories int
	Products   []string      // names that inline patches are for
	Took       time.Duration // to work out
}

// Standing is how a vulnerability on a server stands, from a time on.
type Standing struct {
	Address, CVE, Definition, Version, Why string
	State                                  State
	At                                     time.Time
}

// View returns the exposures as they are.
func (t *Tracker) View() (*View, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, answers := t.Wire()
	status := last
	if !answers { // what it said last of its modes may not be so any more
		status = nil
	}
	revision := t.Store.Revision()
	folder := t.stamped()
	key := fmt.Sprintf("%d %s %t %s", revision, folder, answers, wireKey(last))
	if t.view != nil && key == t.key {
		return t.view, nil
	}
	begun := time.Now()
	if t.products == nil || folder != t.folder {
		t.products, t.folder = Products(t.Definitions), folder
	}
	servers, err := t.Store.Servers()
	if err != nil {
		return nil, err
	}
	if !t.known || revision != t.revision {
		if t.advice, err = t.Store.AdvisoriesFor(servers); err != nil {
			return nil, err
		}
		t.known, t.revision = true, revision
	}
	n, err := t.Store.CountAdvisories()
	if err != nil {
		return nil, err
	}
	if t.standing == nil {
		if t.standing, err = t.Store.standings(); err != nil {
			return nil, err
		}
	}
	loaded := Loaded(last, t.products)
	all := Exposures(servers, t.advice, loaded, status)
	for i := range all {
		t.judgeHistory(&all[i])
	}
	t.view, t.key = &View{At: t.Now().UTC(), Servers: servers, Exposures: all, Advisories: n, Products: productNames(loaded), Took: time.Since(begun)}, key
	return t.view, nil
}

// judgeHistory says of an inline patch that stood in before, and does not now,
// that it was switched off too early.
func (t *Tracker) judgeHistory(e *Exposure) {
	s, ok := t.standing[[2]string{e.Address.String(), e.CVE}]
	if !ok || e.Mode == "" || e.State != Exposed && e.State != Possible && e.State != Shadow {
		return
	}
	if s.State == Corrected || s.State == early {
		e.Early = true
		e.Advice = "switch on again"
		e.Why = append(e.Why, fmt.Sprintf("%s stood in until it was switched off, after %s, and the server still has %s %s: too early", s.Definition, s.At.UTC().Format(time.DateTime), e.Component.Name, orNone(e.Component.Version)))
	}
}

// early is kept of what was corrected before and is open again: that holds until
// it is patched or corrected.
const early State = "early"

// Run keeps the view fresh and the history up to date until ctx ends.
func (t *Tracker) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := t.Keep(); err != nil {
			failed(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Keep writes down what stands otherwise than it did. While the dataplane does
// not answer nothing is: for a moment that would look like a decision.
func (t *Tracker) Keep() error {
	if _, answers := t.Wire(); !answers {
		return nil
	}
	v, err := t.View()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh []Standing
	for _, e := range v.Exposures {
		key := [2]string{e.Address.String(), e.CVE}
		old, ok := t.standing[key]
		state := e.State
		if e.Early {
			state = early
		}
		if ok && old.State == state && old.Version == e.Component.Version {
			continue
		}
		definition := e.Definition
		if state == early {
			definition = old.Definition
		}
		n := Standing{Address: key[0], CVE: key[1], Definition: definition, Version: e.Component.Version, State: state, At: t.Now().UTC().Truncate(time.Second)}
		if len(e.Why) > 0 {
			n.Why = cut(e.Why[len(e.Why)-1])
		}
		fresh = append(fresh, n)
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := t.Store.putStandings(fresh); err != nil {
		return err
	}
	for _, n := range fresh {
		t.standing[[2]string{n.Address, n.CVE}] = n
	}
	return nil
}

// stampLife is for how long a look at the folder holds.
const stampLife = time.Second

// stamped is the folder's stamp, not much older than now: pages ask often. t.mu is
// held.
func (t *Tracker) stamped() string {
	if t.stamp == "" || time.Since(t.looked) >= stampLife {
		t.stamp, t.looked = stamp(t.Definitions), time.Now()
	}
	return t.stamp
}

// stamp changes with what is in a folder of definitions.
func stamp(folder string) string {
	h := sha256.New()
	files, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
	nested, _ := filepath.Glob(filepath.Join(folder, "*", "patch.yaml"))
	for _, f := range append(files, nested...) {
		if st, err := os.Stat(f); err == nil {
			fmt.Fprintf(h, "%s %d %d\n", f, st.Size(), st.ModTime().UnixNano())
		}
	}
	target, _ := filepath.EvalSymlinks(folder)
	return fmt.Sprintf("%s %x", target, h.Sum(nil)[:8])
}

// wireKey changes with what exposures depend on of the wire.
func wireKey(status *control.Status) string {
	if status == nil {
		return ""
	}
	type service struct{ Name, Address, Protocol, Fail string }
	var services []service
	for _, s := range status.Services {
		services = append(services, service{s.Name, s.Address, s.Protocol, s.Fail})
	}
	definitions := make([]control.Definition, len(status.Definitions))
	for i, d := range status.Definitions {
		d.Corrections = 0
		definitions[i] = d
	}
	text, err := json.Marshal([]any{services, definitions})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
