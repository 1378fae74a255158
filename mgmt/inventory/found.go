package inventory

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"wirepatch/dataplane/control"
)

// FoundSchema is what is kept of the wire's own findings, with components by
// more than one kind of evidence.
const FoundSchema = `
CREATE TABLE component_by(address TEXT NOT NULL REFERENCES server(address) ON DELETE CASCADE, name TEXT NOT NULL, version TEXT NOT NULL,
  purl TEXT NOT NULL, cpe TEXT NOT NULL, evidence TEXT NOT NULL, source TEXT NOT NULL, seen INTEGER NOT NULL,
  PRIMARY KEY(address, name, purl, evidence)) WITHOUT ROWID;
INSERT INTO component_by SELECT address, name, version, purl, cpe, evidence, source, seen FROM component;
DROP TABLE component;
ALTER TABLE component_by RENAME TO component;
CREATE TABLE found(address TEXT NOT NULL, port INTEGER NOT NULL, udp INTEGER NOT NULL, body BLOB NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(address, port, udp)) WITHOUT ROWID;
CREATE INDEX found_last ON found(last);
`

// maxFound bounds the services that are kept; the longest silent give way.
const maxFound = 20_000

// foundAgain is how old what is kept of a service may be that still says the same.
const foundAgain = time.Hour

// PutFound keeps what the wire has found. Of servers that are in the inventory
// what they say becomes a component, by banner. Nothing is written while nothing
// is new.
func (s *Store) PutFound(list []control.Found) error {
	known, err := s.Found()
	if err != nil {
		return err
	}
	old := map[foundKey]control.Found{}
	for _, f := range known {
		old[keyOf(f)] = f
	}
	var fresh []control.Found
	for _, f := range list {
		o, ok := old[keyOf(f)]
		if ok {
			f.First = o.First
			f.Names = union(o.Names, f.Names)
			if f.Protocol == "" {
				f.Protocol = o.Protocol
			}
			f.Software = latest(o.Software, f.Software)
		}
		if !ok || f.Protocol != o.Protocol || len(f.Names) != len(o.Names) || !sameSoftware(f.Software, o.Software) || f.Last.Sub(o.Last) > foundAgain {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return s.writeFound(fresh)
}

type foundKey struct {
	at  netip.AddrPort
	udp bool
}

func keyOf(f control.Found) foundKey {
	return foundKey{netip.AddrPortFrom(f.Address, f.Port), f.UDP}
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, n := range b {
		if !slices.Contains(out, n) && len(out) < 8 {
			out = append(out, n)
		}
	}
	return out
}

// latest is what was said last of each product. The time of what is said again
// stays: it is when this version was first seen.
func latest(old, now []control.FoundSoftware) []control.FoundSoftware {
	out := slices.Clone(now)
	for i, n := range out {
		for _, o := range old {
			if o.Name == n.Name && o.Version == n.Version && o.Seen.Before(n.Seen) {
				out[i].Seen = o.Seen
			}
		}
	}
	for _, o := range old {
		if len(out) < 8 && !slices.ContainsFunc(out, func(n control.FoundSoftware) bool { return n.Name == o.Name }) {
			out = append(out, o)
		}
	}
	return out
}

func sameSoftware(a, b []control.FoundSoftware) bool {
	return slices.EqualFunc(a, b, func(a, b control.FoundSoftware) bool { return a.Name == b.Name && a.Version == b.Version })
}

func (s *Store) writeFound(list []control.Found) error {
	tx, err := s.DB.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, f := range list {
		body, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO found VALUES (?1,?2,?3,?4,?5) ON CONFLICT(address, port, udp) DO UPDATE SET body = ?4, last = ?5", f.Address.String(), f.Port, f.UDP, body, f.Last.Unix()); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM server WHERE address = ?", f.Address.String()).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := s.put(tx, Server{Address: f.Address, Components: components(f)}); err != nil {
			return err
		}
	}
	_, err = tx.Exec("DELETE FROM found WHERE (address, port, udp) IN (SELECT address, port, udp FROM found ORDER BY last DESC LIMIT -1 OFFSET ?)", maxFound)
	if err != nil {
		return err
	}
	defer s.changed()
	return tx.Commit()
}

// components is what a service said of itself, as software of its server.
func components(f control.Found) (all []Component) {
	for _, v := range f.Software {
		all = append(all, Component{Name: v.Name, Version: v.Version, Evidence: ByBanner, Source: fmt.Sprintf("port %d, %s", f.Port, v.Evidence)})
	}
	return all
}

// Found returns all services that the wire has found, by address and port.
func (s *Store) Found() ([]control.Found, error) {
	rows, err := s.DB.Read.Query("SELECT body FROM found")
	if err != nil {
		return nil, fmt.Errorf("read what was found: %w", err)
	}
	defer rows.Close()
	all := []control.Found{}
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var f control.Found
		if err := json.Unmarshal(body, &f); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b control.Found) int {
		if d := a.Address.Compare(b.Address); d != 0 {
			return d
		}
		return int(a.Port) - int(b.Port)
	})
	return all, rows.Err()
}

// Take takes a server that was found into the inventory, with what it said.
func (s *Store) Take(address netip.Addr) error {
	all, err := s.Found()
	if err != nil {
		return err
	}
	v := Server{Address: address}
	seen := false
	for _, f := range all {
		if f.Address != address {
			continue
		}
		seen = true
		v.Components = append(v.Components, components(f)...)
		if v.Name == "" && len(f.Names) > 0 {
			v.Name = f.Names[0]
		}
	}
	if !seen {
		return ErrNone
	}
	return s.Put([]Server{v})
}
