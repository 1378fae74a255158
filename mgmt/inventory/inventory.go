// Package inventory knows which servers stand behind the box, what software is
// on them by whose word, which vulnerabilities are known, and from these works
// out what each server is exposed to and whether an inline patch stands in. It
// states what there is evidence for, and by which evidence; where a version can
// not be told it says "possible", never "vulnerable".
package inventory

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"wirepatch/mgmt/store"
)

// Schema is what the inventory keeps, beside the audit log.
const Schema = `
CREATE TABLE server(address TEXT PRIMARY KEY, name TEXT NOT NULL, grp TEXT NOT NULL, added INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE component(address TEXT NOT NULL REFERENCES server(address) ON DELETE CASCADE, name TEXT NOT NULL, version TEXT NOT NULL,
  purl TEXT NOT NULL, cpe TEXT NOT NULL, evidence TEXT NOT NULL, source TEXT NOT NULL, seen INTEGER NOT NULL,
  PRIMARY KEY(address, name, purl)) WITHOUT ROWID;
CREATE TABLE advisory(id TEXT PRIMARY KEY, source TEXT NOT NULL, body BLOB NOT NULL, added INTEGER NOT NULL) WITHOUT ROWID;
`

// Bounds of what is kept.
const (
	maxServers    = 5_000
	maxComponents = 5_000 // of one server
	maxAdvisories = 300_000
)

// Evidence is the class of what a component's version is known by, best first.
type Evidence string

// Classes of evidence.
const (
	BySBOM   Evidence = "SBOM"    // a bill of materials or package list of the host
	ByCheck  Evidence = "check"   // what it answered when it was asked
	ByBanner Evidence = "banner"  // what it said of itself on the wire
	ByWord   Evidence = "by word" // somebody's, who is named
)

// Server is one server behind the box.
type Server struct {
	Address    netip.Addr  `json:"address"`
	Name       string      `json:"name"`
	Group      string      `json:"group"`
	Added      time.Time   `json:"added"`
	Components []Component `json:"components"`
}

// Component is one piece of software on a server.
type Component struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"` // "" unknown
	PURL     string    `json:"purl,omitempty"`
	CPE      string    `json:"cpe,omitempty"`
	Evidence Evidence  `json:"evidence"`
	Source   string    `json:"source"` // file, or who said so
	Seen     time.Time `json:"seen"`   // first, in this version
}

// What is wrong with what was handed in.
var (
	ErrInput = errors.New("this cannot be taken")
	ErrNone  = errors.New("there is no such server")
)

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, a...)...)
}

// Store keeps the inventory.
type Store struct {
	DB  *store.DB
	Now func() time.Time

	revision atomic.Uint64 // counts what was changed
}

// Revision tells whether anything was changed since it was asked for before.
func (s *Store) Revision() uint64 { return s.revision.Load() }

func (s *Store) changed() { s.revision.Add(1) }

// Put adds servers or changes them; their components are added to those that
// are known. All of it, or nothing.
func (s *Store) Put(servers []Server) error {
	tx, err := s.DB.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, v := range servers {
		if err := s.put(tx, v); err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM server").Scan(&n); err != nil {
		return err
	}
	if n > maxServers {
		return faulty("more than %d servers", maxServers)
	}
	defer s.changed()
	return tx.Commit()
}

func (s *Store) put(tx *sql.Tx, v Server) error {
	if !v.Address.IsValid() {
		return faulty("a server needs an address")
	}
	if len(v.Name) > 200 || len(v.Group) > 200 || len(v.Components) > maxComponents {
		return faulty("server %s: a name or group of more than 200 characters, or more than %d components", v.Address, maxComponents)
	}
	now := s.Now().Unix()
	_, err := tx.Exec(`INSERT INTO server VALUES (?1,?2,?3,?4) ON CONFLICT(address) DO UPDATE SET
		name = CASE WHEN ?2 = '' THEN name ELSE ?2 END, grp = CASE WHEN ?3 = '' THEN grp ELSE ?3 END`, v.Address.String(), v.Name, v.Group, now)
	if err != nil {
		return err
	}
	for _, c := range v.Components {
		if c.Name == "" || len(c.Name)+len(c.Version)+len(c.PURL)+len(c.CPE) > 2000 {
			return faulty("a component of %s without a name, or too long", v.Address)
		}
		// Of another version it is another finding, with its own time.
		_, err := tx.Exec(`INSERT INTO component VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(address, name, purl, evidence) DO UPDATE SET
			seen = CASE WHEN version = ?3 THEN seen ELSE ?8 END, version = ?3, cpe = ?5, source = ?7`,
			v.Address.String(), c.Name, c.Version, barePURL(c.PURL), c.CPE, c.Evidence, c.Source, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove forgets a server.
func (s *Store) Remove(address netip.Addr) error {
	defer s.changed()
	r, err := s.DB.Write.Exec("DELETE FROM server WHERE address = ?", address.String())
	if err != nil {
		return err
	}
	if n, _ := r.RowsAffected(); n == 0 {
		return ErrNone
	}
	return nil
}

// Servers returns all servers by address.
func (s *Store) Servers() ([]Server, error) {
	rows, err := s.DB.Read.Query(`SELECT s.address, s.name, s.grp, s.added, coalesce(c.name, ''), coalesce(c.version, ''), coalesce(c.purl, ''), coalesce(c.cpe, ''),
		coalesce(c.evidence, ''), coalesce(c.source, ''), coalesce(c.seen, 0) FROM server s LEFT JOIN component c ON c.address = s.address ORDER BY s.address, c.name`)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	defer rows.Close()
	all := []Server{}
	for rows.Next() {
		var address string
		var v Server
		var c Component
		var added, seen int64
		if err := rows.Scan(&address, &v.Name, &v.Group, &added, &c.Name, &c.Version, &c.PURL, &c.CPE, &c.Evidence, &c.Source, &seen); err != nil {
			return nil, err
		}
		if v.Address, err = netip.ParseAddr(address); err != nil {
			return nil, err
		}
		if n := len(all); n == 0 || all[n-1].Address != v.Address {
			v.Added, v.Components = time.Unix(added, 0).UTC(), []Component{}
			all = append(all, v)
		}
		if c.Name != "" {
			c.Seen = time.Unix(seen, 0).UTC()
			last := &all[len(all)-1]
			last.Components = append(last.Components, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Server) int { return a.Address.Compare(b.Address) })
	return all, rows.Err()
}

// PutAdvisories adds advisories or replaces older ones of the same source, and forgets
// those that were withdrawn. When
// an advisory became known here is kept: days of exposure count from it.
func (s *Store) PutAdvisories(list []Advisory) error {
	tx, err := s.DB.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, a := range list {
		if a.Withdrawn {
			if _, err := tx.Exec("DELETE FROM advisory WHERE id = ?", a.Key()); err != nil {
				return err
			}
			continue
		}
		body, err := json.Marshal(a)
		if err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO advisory VALUES (?1,?2,?3,?4) ON CONFLICT(id) DO UPDATE SET source = ?2, body = ?3", a.Key(), a.Source, body, s.Now().Unix())
		if err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM advisory").Scan(&n); err != nil {
		return err
	}
	if n > maxAdvisories {
		return faulty("more than %d advisories", maxAdvisories)
	}
	defer s.changed()
	return tx.Commit()
}

// Advisories returns all advisories.
func (s *Store) Advisories() (all []Advisory, err error) {
	return all, s.eachAdvisory(func(a Advisory) { all = append(all, a) })
}

// barePURL is a package URL without version, qualifiers and subpath.
func barePURL(p string) string {
	p, _, _ = strings.Cut(p, "?")
	p, _, _ = strings.Cut(p, "#")
	if i := strings.LastIndex(p, "@"); i > strings.LastIndex(p, "/") {
		p = p[:i]
	}
	return p
}
