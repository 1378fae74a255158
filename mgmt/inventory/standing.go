package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// standings are the latest of each vulnerability on each server.
func (s *Store) standings() (map[[2]string]Standing, error) {
	all := map[[2]string]Standing{}
	return all, s.eachStanding("SELECT address, cve, at, state, definition, version, why FROM standing ORDER BY at", nil, func(v Standing) { all[[2]string{v.Address, v.CVE}] = v })
}

// History returns how things stood, oldest first: all that began before to.
func (s *Store) History(to time.Time) (all []Standing, err error) {
	return all, s.eachStanding("SELECT address, cve, at, state, definition, version, why FROM standing WHERE at < ? ORDER BY at", []any{to.Unix()}, func(v Standing) { all = append(all, v) })
}

func (s *Store) eachStanding(query string, args []any, take func(Standing)) error {
	rows, err := s.DB.Read.Query(query, args...)
	if err != nil {
		return fmt.Errorf("read how exposures stood: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var v Standing
		var at int64
		if err := rows.Scan(&v.Address, &v.CVE, &at, &v.State, &v.Definition, &v.Version, &v.Why); err != nil {
			return err
		}
		v.At = time.Unix(at, 0).UTC()
		take(v)
	}
	return rows.Err()
}

func (s *Store) putStandings(list []Standing) error {
	tx, err := s.DB.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, v := range list {
		_, err := tx.Exec("INSERT INTO standing VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(address, cve, at) DO UPDATE SET state = ?4, definition = ?5, version = ?6, why = ?7",
			v.Address, v.CVE, v.At.Unix(), v.State, v.Definition, v.Version, v.Why)
		if err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM standing").Scan(&n); err != nil {
		return err
	}
	if n > maxStandings { // only what is superseded
		_, err := tx.Exec(`DELETE FROM standing WHERE (address, cve, at) IN (SELECT address, cve, at FROM standing o WHERE EXISTS
			(SELECT 1 FROM standing n WHERE n.address = o.address AND n.cve = o.cve AND n.at > o.at) ORDER BY at LIMIT ?)`, n-maxStandings*9/10)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// CountAdvisories is how many are known.
func (s *Store) CountAdvisories() (n int, err error) {
	return n, s.DB.Read.QueryRow("SELECT count(*) FROM advisory").Scan(&n)
}

// AdvisoriesFor returns those advisories that can concern one of the servers, and
// those without packages: there may be hundreds of thousands of others.
func (s *Store) AdvisoriesFor(servers []Server) (all []Advisory, err error) {
	names, purls, cpes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, v := range servers {
		for _, c := range v.Components {
			names[normal(c.Name)], names[alias(c.Name)] = true, true
			purls[strings.ToLower(c.PURL)], cpes[productOf(c.CPE)] = true, true
		}
	}
	delete(names, "")
	delete(purls, "")
	delete(cpes, "")
	wanted := func(a *Advisory) bool {
		return len(a.Affects) == 0 || slices.ContainsFunc(a.Affects, func(x Affect) bool {
			purl := x.PURL
			if purl == "" {
				purl = purlOf(x.Ecosystem, x.Name)
			}
			return names[normal(x.Name)] || purls[strings.ToLower(purl)] || cpes[productOf(x.CPE)]
		})
	}
	return all, s.eachAdvisory(func(a Advisory) {
		if wanted(&a) {
			all = append(all, a)
		}
	})
}

func (s *Store) eachAdvisory(take func(Advisory)) error {
	rows, err := s.DB.Read.Query("SELECT body, added FROM advisory ORDER BY id")
	if err != nil {
		return fmt.Errorf("read advisories: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var added int64
		if err := rows.Scan(&body, &added); err != nil {
			return err
		}
		var a Advisory
		if err := json.Unmarshal(body, &a); err != nil {
			return err
		}
		a.Known = time.Unix(added, 0).UTC()
		take(a)
	}
	return rows.Err()
}
