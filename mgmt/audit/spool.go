package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// Spool is where programs beside the page leave entries for the log, one file
// each: the menu on the serial console must work, and be recorded, while the
// page's program does not run. Only that program writes the log itself.
type Spool struct {
	Dir string
	Now func() time.Time
}

const (
	spoolSuffix = ".entry"
	maxSpooled  = 1000 // files; more are refused
	maxEntry    = 16 << 10
)

// Add leaves an entry.
func (s Spool) Add(e Entry) error {
	if e.Time.IsZero() {
		e.Time = s.Now().UTC()
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("keep for the audit log: %w", err)
	}
	if n, _ := s.list(); len(n) >= maxSpooled {
		return errors.New("keep for the audit log: too much waits already")
	}
	f, err := os.CreateTemp(s.Dir, fmt.Sprintf("%020d-*.tmp", e.Time.UnixNano()))
	if err != nil {
		return fmt.Errorf("keep for the audit log: %w", err)
	}
	defer os.Remove(f.Name())
	f.Close()
	return atomicfile.Write(strings.TrimSuffix(f.Name(), ".tmp")+spoolSuffix, text, 0o600)
}

// list names the entries, oldest first.
func (s Spool) list() (all []string, err error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), spoolSuffix) {
			all = append(all, filepath.Join(s.Dir, e.Name()))
		}
	}
	return all, err
}

// Collect takes what waits into the log. An entry is removed once it is in; a
// power cut in between leaves it twice, never not at all.
func (l *Log) Collect(s Spool) error {
	all, err := s.list()
	if err != nil {
		return err
	}
	for _, path := range all {
		e, err := readEntry(path)
		if err != nil {
			e = Entry{Time: s.Now().UTC(), Who: "wirepatch", Action: "audit.gap", Outcome: "failed", Detail: "an entry of the console cannot be read: " + err.Error()}
		}
		l.Add(e)
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func readEntry(path string) (e Entry, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return e, err
	}
	if st.Size() > maxEntry {
		return e, fmt.Errorf("it has %d bytes", st.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

// collectEvery is how long an entry waits at most.
const collectEvery = time.Second

// Watch collects until ctx ends.
func (l *Log) Watch(ctx context.Context, s Spool) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := l.Collect(s); err != nil {
			l.log.Warn("audit entries of the console", "cause", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
