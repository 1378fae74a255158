package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Named keeps values by name, as JSON, in a table that NamedSchema has made.
type Named[T any] struct {
	DB    *DB
	Table string // never from outside
}

// NamedSchema makes the table of a Named.
func NamedSchema(table string) string {
	return fmt.Sprintf("CREATE TABLE %s(name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;\n", table)
}

// All returns all values by name.
func (n Named[T]) All() ([]T, error) {
	rows, err := n.DB.Read.Query("SELECT body FROM " + n.Table + " ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", n.Table, err)
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Get returns one value, if there is one of that name.
func (n Named[T]) Get(name string) (v T, found bool, err error) {
	var body []byte
	err = n.DB.Read.QueryRow("SELECT body FROM "+n.Table+" WHERE name = ?", name).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	return v, true, json.Unmarshal(body, &v)
}

// Others says how many values there are beside the one of that name.
func (n Named[T]) Others(name string) (count int, err error) {
	err = n.DB.Read.QueryRow("SELECT count(*) FROM "+n.Table+" WHERE name <> ?", name).Scan(&count)
	return count, err
}

// Put writes a value in the place of what the name had.
func (n Named[T]) Put(name string, v T) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = n.DB.Write.Exec("INSERT INTO "+n.Table+" VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET body = excluded.body", name, body)
	return err
}

// Remove forgets a value, if there is one of that name.
func (n Named[T]) Remove(name string) (found bool, err error) {
	r, err := n.DB.Write.Exec("DELETE FROM "+n.Table+" WHERE name = ?", name)
	if err != nil {
		return false, err
	}
	count, err := r.RowsAffected()
	return count > 0, err
}
