// Package update is the box's side of the update repository: it finds out what
// is new, brings it onto the data partition and puts it to use. Every byte is
// verified, by The Update Framework (TUF), before it is active. Who may sign what
// is said by the repository's root, the first of which the image carries. It runs
// in the program updated; it does not decide when.
package update

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"wirepatch/firmware/repo"
	"wirepatch/firmware/slot"
)

// Client knows what the box has, and whom it trusts.
type Client struct {
	Root     []byte // of trust, as the image has it
	Dir      string // on the data partition, for metadata and downloads
	Board    string
	Version  string // of the running firmware
	Revision int    // of the definitions in force
	Now      func() time.Time
}

// Item is something newer than what the box has.
type Item struct {
	Name     string `json:"name"`               // in the repository
	Version  string `json:"version,omitempty"`  // of firmware
	Revision int    `json:"revision,omitempty"` // of definitions
	Bytes    int64  `json:"bytes"`

	target *metadata.TargetFiles
}

// Offer is what a source has for this box; nil where it has nothing newer.
type Offer struct {
	Firmware    *Item `json:"firmware,omitempty"`
	Definitions *Item `json:"definitions,omitempty"`

	// What it has at all, so that a file that somebody brought can be refused
	// with the reason.
	boards map[string]string // newest firmware by board
	old    string            // the newest for this board, when it is no newer
	oldRev int
}

const maxMetadata = 4 << 20

// Check finds out what the source has for this box.
func (c *Client) Check(ctx context.Context, s Source) (*Offer, error) {
	offer, err := c.check(ctx, s)
	if err != nil {
		return nil, judge(err)
	}
	return offer, nil
}

func (c *Client) check(ctx context.Context, s Source) (*Offer, error) {
	dir := filepath.Join(c.Dir, "metadata")
	root, err := c.trusted(filepath.Join(dir, "root.json"))
	if err != nil {
		return nil, err
	}
	cfg, err := config.New("https://repository.invalid/metadata", root)
	if err != nil {
		return nil, err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.Fetcher = dir, filepath.Join(c.Dir, "targets"), fetcher{ctx, s}
	cfg.RootMaxLength, cfg.TimestampMaxLength, cfg.SnapshotMaxLength, cfg.TargetsMaxLength = maxMetadata, maxMetadata, maxMetadata, maxMetadata
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := dropTorn(dir); err != nil {
		return nil, err
	}
	u, err := updater.New(cfg)
	if err != nil {
		return nil, err
	}
	// The one clock of the box; it never runs below the time of its firmware.
	u.UnsafeSetRefTime(c.Now().UTC())
	if err := u.Refresh(); err != nil {
		return nil, err
	}
	// Asking for a name loads the role that may sign it. There is none of these
	// names.
	for role, name := range map[string]string{repo.Firmware: "firmware/none/none", repo.Definitions: "definitions/none"} {
		if _, err := u.GetTargetInfo(name); err != nil && u.GetTrustedMetadataSet().Targets[role] == nil {
			return nil, err
		}
	}
	return c.offer(u.GetTrustedMetadataSet())
}

// dropTorn removes metadata that a power cut left half written. TUF's client would
// stumble over it for good; without it, it gets it anew.
func dropTorn(dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, f := range all {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if !json.Valid(text) {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// trusted returns the newest root that the box has come to trust.
func (c *Client) trusted(kept string) ([]byte, error) {
	own, err := metadata.Root().FromBytes(c.Root)
	if err != nil {
		return nil, fmt.Errorf("the image's root of trust: %w", err)
	}
	text, err := os.ReadFile(kept)
	if err != nil {
		return c.Root, nil
	}
	if newer, err := metadata.Root().FromBytes(text); err == nil && newer.Signed.Version > own.Signed.Version {
		return text, nil
	}
	return c.Root, nil
}

// offer picks the newest for this box.
func (c *Client) offer(all trustedmetadata.TrustedMetadata) (*Offer, error) {
	o := &Offer{boards: map[string]string{}}
	best, rev := "", 0
	for role, meta := range all.Targets {
		for name, t := range meta.Signed.Targets {
			var x repo.Custom
			if t.Custom == nil || json.Unmarshal(*t.Custom, &x) != nil {
				continue
			}
			switch {
			case role == repo.Firmware && slot.Valid(x.Version):
				if b := o.boards[x.Board]; b == "" || slot.Compare(x.Version, b) > 0 {
					o.boards[x.Board] = x.Version
				}
				if x.Board == c.Board && (best == "" || slot.Compare(x.Version, best) > 0) {
					best = x.Version
					o.Firmware = &Item{Name: name, Version: x.Version, Bytes: t.Length, target: t}
				}
			case role == repo.Definitions && x.Revision > rev:
				rev = x.Revision
				o.Definitions = &Item{Name: name, Revision: x.Revision, Bytes: t.Length, target: t}
			}
		}
	}
	if o.Firmware != nil && slot.Compare(best, c.Version) <= 0 {
		o.Firmware, o.old = nil, best
	}
	if o.Definitions != nil && rev <= c.Revision {
		o.Definitions, o.oldRev = nil, rev
	}
	return o, nil
}

// Useless says why a file that somebody brought has nothing for this box.
func (c *Client) Useless(o *Offer) error {
	switch {
	case o.Firmware != nil || o.Definitions != nil:
		return nil
	case o.old != "":
		return refuse(Older, "the update has firmware %s; this box runs %s, and takes none that is older or the same", o.old, c.Version)
	case len(o.boards) > 0:
		var names []string
		for b := range o.boards {
			names = append(names, b)
		}
		return refuse(WrongBoard, "the update is for board %s; this box is a %s", strings.Join(names, ", "), c.Board)
	case o.oldRev > 0:
		return refuse(Older, "the update has definitions %d; this box has %d", o.oldRev, c.Revision)
	}
	return refuse(Older, "the update has nothing for this box")
}

// fetcher reads metadata for TUF's client.
type fetcher struct {
	ctx    context.Context
	source Source
}

// DownloadFile implements TUF's Fetcher.
func (f fetcher) DownloadFile(address string, most int64, _ time.Duration) ([]byte, error) {
	_, name, _ := strings.Cut(address, "repository.invalid/")
	ctx, cancel := context.WithTimeout(f.ctx, 5*time.Minute)
	defer cancel()
	r, err := f.source.Open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes: %w", name, most, errTooLarge)
	}
	return b, nil
}
