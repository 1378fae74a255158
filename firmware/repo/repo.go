// Package repo makes the update repository: a static folder that any web server
// can serve, signed as The Update Framework (TUF) has it. Definitions are signed
// by other keys than firmware, and both by other keys than the root of trust,
// which stays offline. It is the author's side; boxes read it with package update.
//
//	metadata/N.root.json         who may sign what; boxes carry the first
//	metadata/N.targets.json      delegates to the next two
//	metadata/N.firmware.json     the firmware there is
//	metadata/N.definitions.json  the definition packs there are
//	metadata/N.snapshot.json     which versions of these belong together
//	metadata/timestamp.json      the newest snapshot; expires soon
//	targets/…                    the files, each beginning with its SHA-256
package repo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"wirepatch/board/atomicfile"
)

// The delegated roles, and all roles.
const (
	Firmware    = "firmware"
	Definitions = "definitions"
)

var roles = []string{metadata.ROOT, metadata.TARGETS, Firmware, Definitions, metadata.SNAPSHOT, metadata.TIMESTAMP}

// lifetime is how long what a role signs is good for. A box that gets no newer
// timestamp within its time knows that somebody holds it back.
var lifetime = map[string]time.Duration{
	metadata.ROOT: 5 * 365 * day, metadata.TARGETS: 3 * 365 * day, Firmware: 2 * 365 * day, Definitions: 365 * day,
	metadata.SNAPSHOT: 180 * day, metadata.TIMESTAMP: 60 * day,
}

const day = 24 * time.Hour

// Repo is a repository's folder with the keys to sign with.
type Repo struct {
	Dir  string
	Keys Keys
	Now  func() time.Time
	// Threshold is how many keys of a role must sign; missing means one.
	Threshold map[string]int
}

func (r *Repo) expires(role string) time.Time {
	return r.Now().UTC().Add(lifetime[role]).Truncate(time.Second)
}

func (r *Repo) path(name string) string { return filepath.Join(r.Dir, "metadata", name) }

// newest returns the highest version of a role's file, 0 when there is none.
func (r *Repo) newest(role string) int64 {
	all, _ := filepath.Glob(r.path("*." + role + ".json"))
	var out int64
	for _, p := range all {
		n, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(p), "."+role+".json"), 10, 64)
		if err == nil {
			out = max(out, n)
		}
	}
	return out
}

func versioned(role string, version int64) string { return fmt.Sprintf("%d.%s.json", version, role) }

// write signs meta with the role's keys that are there and writes it. A root or
// another with a threshold may lack signatures then; Sign adds them.
func write[T metadata.Roles](r *Repo, meta *metadata.Metadata[T], role, file string, signers []signer) error {
	meta.ClearSignatures()
	for _, s := range signers {
		if _, err := meta.Sign(s.sign); err != nil {
			return fmt.Errorf("sign %s with %s: %w", role, s.file, err)
		}
	}
	text, err := meta.ToBytes(true)
	if err != nil {
		return fmt.Errorf("write %s: %w", role, err)
	}
	if err := os.MkdirAll(filepath.Join(r.Dir, "metadata"), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(r.path(file), text, 0o644)
}

// Init begins a repository: root, the two delegations, nothing to offer yet.
func (r *Repo) Init() error {
	if r.newest(metadata.ROOT) > 0 {
		return fmt.Errorf("begin repository: %s has one already", r.Dir)
	}
	root := metadata.Root(r.expires(metadata.ROOT))
	root.Signed.ConsistentSnapshot = true
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		keys, err := r.Keys.of(role)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := root.Signed.AddKey(k.key, role); err != nil {
				return fmt.Errorf("begin repository: %w", err)
			}
		}
		root.Signed.Roles[role].Threshold = max(1, r.Threshold[role])
	}
	signers, err := r.Keys.of(metadata.ROOT)
	if err != nil {
		return err
	}
	if err := write(r, root, metadata.ROOT, versioned(metadata.ROOT, 1), signers); err != nil {
		return err
	}
	if err := r.delegate(); err != nil {
		return err
	}
	for _, role := range []string{Firmware, Definitions} {
		if err := r.change(role, func(*metadata.TargetsType) error { return nil }); err != nil {
			return err
		}
	}
	return r.Publish()
}

// delegate writes a new version of the top targets role, which names the keys of
// the delegated ones.
func (r *Repo) delegate() error {
	top := metadata.Targets(r.expires(metadata.TARGETS))
	top.Signed.Version = r.newest(metadata.TARGETS) + 1
	top.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	before := r.delegated()
	for _, d := range []struct{ role, paths string }{{Firmware, "firmware/*/*"}, {Definitions, "definitions/*"}} {
		keys, err := r.Keys.of(d.role)
		if err != nil {
			return err
		}
		top.Signed.Delegations.Roles = append(top.Signed.Delegations.Roles,
			metadata.DelegatedRole{Name: d.role, Threshold: max(1, cmp.Or(r.Threshold[d.role], before[d.role])), Terminating: true, Paths: []string{d.paths}, KeyIDs: []string{}})
		for _, k := range keys {
			if err := top.Signed.AddKey(k.key, d.role); err != nil {
				return fmt.Errorf("delegate to %s: %w", d.role, err)
			}
		}
	}
	signers, err := r.Keys.of(metadata.TARGETS)
	if err != nil {
		return err
	}
	return write(r, top, metadata.TARGETS, versioned(metadata.TARGETS, top.Signed.Version), signers)
}

// delegated returns the thresholds of the delegated roles as they are.
func (r *Repo) delegated() map[string]int {
	out := map[string]int{}
	top, err := metadata.Targets().FromFile(r.path(versioned(metadata.TARGETS, r.newest(metadata.TARGETS))))
	if err == nil && top.Signed.Delegations != nil {
		for _, d := range top.Signed.Delegations.Roles {
			out[d.Name] = d.Threshold
		}
	}
	return out
}

// change writes a new version of a delegated role.
func (r *Repo) change(role string, edit func(*metadata.TargetsType) error) error {
	meta := metadata.Targets(r.expires(role))
	version := r.newest(role)
	if version > 0 {
		if _, err := meta.FromFile(r.path(versioned(role, version))); err != nil {
			return fmt.Errorf("read %s: %w", role, err)
		}
	}
	meta.Signed.Version, meta.Signed.Expires = version+1, r.expires(role)
	if err := edit(&meta.Signed); err != nil {
		return err
	}
	signers, err := r.Keys.of(role)
	if err != nil {
		return err
	}
	return write(r, meta, role, versioned(role, version+1), signers)
}

// Publish writes snapshot and timestamp anew: from now on boxes see what was
// added. Doing it again before the timestamp expires keeps the repository alive.
func (r *Repo) Publish() error {
	snapshot := metadata.Snapshot(r.expires(metadata.SNAPSHOT))
	snapshot.Signed.Version = r.newest(metadata.SNAPSHOT) + 1
	snapshot.Signed.Meta = map[string]*metadata.MetaFiles{}
	for _, role := range []string{metadata.TARGETS, Firmware, Definitions} {
		version := r.newest(role)
		text, err := os.ReadFile(r.path(versioned(role, version)))
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		m := metadata.MetaFile(version)
		m.Length = int64(len(text))
		snapshot.Signed.Meta[role+".json"] = m
	}
	signers, err := r.Keys.of(metadata.SNAPSHOT)
	if err != nil {
		return err
	}
	if err := write(r, snapshot, metadata.SNAPSHOT, versioned(metadata.SNAPSHOT, snapshot.Signed.Version), signers); err != nil {
		return err
	}
	stamp := metadata.Timestamp(r.expires(metadata.TIMESTAMP))
	stamp.Signed.Version = 1
	if old, err := metadata.Timestamp().FromFile(r.path("timestamp.json")); err == nil {
		stamp.Signed.Version = old.Signed.Version + 1
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("publish: %w", err)
	}
	stamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(snapshot.Signed.Version)
	if signers, err = r.Keys.of(metadata.TIMESTAMP); err != nil {
		return err
	}
	return write(r, stamp, metadata.TIMESTAMP, "timestamp.json", signers)
}

// Root returns the newest root, which images carry as their trust.
func (r *Repo) Root() ([]byte, error) {
	version := r.newest(metadata.ROOT)
	if version == 0 {
		return nil, fmt.Errorf("%s is no repository; begin one with: repo init", r.Dir)
	}
	return os.ReadFile(r.path(versioned(metadata.ROOT, version)))
}

// Custom is what the repository says of a target beside its hash.
type Custom struct {
	Board    string `json:"board,omitempty"`
	Version  string `json:"version,omitempty"`  // of firmware
	Revision int    `json:"revision,omitempty"` // of a definition pack
}

func (c Custom) raw() (*json.RawMessage, error) {
	text, err := json.Marshal(c)
	m := json.RawMessage(text)
	return &m, err
}
