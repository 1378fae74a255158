package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wirepatch/board/atomicfile"
	"wirepatch/board/settings"
)

// Names in the data folder and in the folder of a format.
const (
	lastFormat = "settings-format" // format of the firmware that ran last
	originFile = "origin.json"     // what a place was migrated from
)

// origin says which settings a place was migrated from: when those have changed
// since, the firmware of that format was in charge again, and its are the newer.
type origin struct {
	Format int    `json:"format"`
	Sum    string `json:"sum"`
}

// Adopt is for the start of the box, before anything reads the settings. After
// an update whose firmware has another format it migrates a copy of what the
// firmware before had in force; that one's own stay as they are. A power cut
// leaves no copy or a whole one.
func Adopt(data string, logf func(string, ...any)) error {
	return adopt(data, settings.Format, settings.Migrate, logf)
}

func adopt(data string, to int, migrate func(text string, from int) (string, error), logf func(string, ...any)) error {
	from := ranLast(data)
	if from < to {
		if err := migrateCopy(data, from, to, migrate, logf); err != nil {
			return err
		}
	}
	if from == to {
		if _, err := os.Stat(filepath.Join(data, lastFormat)); err == nil {
			return nil
		}
	}
	return atomicfile.Write(filepath.Join(data, lastFormat), fmt.Appendln(nil, to), 0o644)
}

// ranLast is the format of the firmware that ran last.
func ranLast(data string) int {
	text, err := os.ReadFile(filepath.Join(data, lastFormat))
	n, err2 := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || err2 != nil || n < 1 {
		return 1
	}
	return n
}

func migrateCopy(data string, from, to int, migrate func(string, int) (string, error), logf func(string, ...any)) error {
	old, own := settings.PlaceOf(data, from), settings.PlaceOf(data, to)
	text, err := confirmed(old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the image's own are in force
	}
	if err != nil {
		return err
	}
	src := origin{from, Sum(text)}
	if made, err := readOrigin(own); err == nil && made == src {
		return nil
	}
	next, err := migrate(text, from)
	if err != nil {
		return err
	}
	tmp := settings.Place{Owner: filepath.Join(own.Folder+".new", "appliance.ini"), Folder: own.Folder + ".new"}
	if err := fill(tmp, next, src, history(old, from, migrate)); err != nil {
		return fmt.Errorf("copy the settings: %w", err)
	}
	// Without its place this format begins from the copy again: nothing is lost.
	if err := errors.Join(os.RemoveAll(own.Folder), os.Rename(tmp.Folder, own.Folder), atomicfile.SyncDir(data)); err != nil {
		return err
	}
	logf("settings: a copy was brought from format %d to %d; the firmware before keeps its own", from, to)
	return nil
}

// confirmed is the text that is in force for good: not that of a change which
// nobody has confirmed.
func confirmed(p settings.Place) (string, error) {
	text, err := os.ReadFile(filepath.Join(p.Folder, unconfirmedFile))
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile(p.Owner)
	}
	return string(text), err
}

func readOrigin(p settings.Place) (o origin, err error) {
	text, err := os.ReadFile(filepath.Join(p.Folder, originFile))
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}

// history returns the earlier files, migrated. One that cannot be is left out.
func history(old settings.Place, from int, migrate func(string, int) (string, error)) (out []Revision) {
	k := Keeper{Folder: old.Folder}
	all, err := k.History()
	if err != nil {
		return nil
	}
	for _, r := range all {
		if r.Text, err = migrate(r.Text, from); err == nil {
			out = append(out, r)
		}
	}
	return out
}

// fill makes a place.
func fill(p settings.Place, text string, from origin, before []Revision) error {
	if err := errors.Join(os.RemoveAll(p.Folder), os.Mkdir(p.Folder, 0o700)); err != nil {
		return err
	}
	k := Keeper{Folder: p.Folder}
	for _, r := range before {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(k.revision(r.Number), b, 0o600); err != nil {
			return err
		}
	}
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.Write(filepath.Join(p.Folder, originFile), b, 0o600), atomicfile.Write(p.Owner, []byte(text), 0o644))
}
