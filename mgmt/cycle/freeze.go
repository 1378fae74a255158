package cycle

import (
	"time"

	"wirepatch/mgmt/store"
)

// FreezeSchema is what is kept of the freezes.
var FreezeSchema = store.NamedSchema("freeze")

// Freeze is a time in which nothing is to be changed: the end of a quarter, the
// days before Christmas. It wins over windows.
type Freeze struct {
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Note string    `json:"note,omitempty"`
}

const (
	maxFreezes = 50
	longest    = 120 * 24 * time.Hour
)

func (s *Store) freezes() store.Named[Freeze] { return store.Named[Freeze]{DB: s.DB, Table: "freeze"} }

// Freezes returns all freezes by name.
func (s *Store) Freezes() ([]Freeze, error) { return s.freezes().All() }

// PutFreeze adds a freeze or changes it.
func (s *Store) PutFreeze(f Freeze) error {
	switch {
	case !nameForm.MatchString(f.Name):
		return faulty("a name is up to 64 letters, digits, blanks, dots and dashes")
	case len(f.Note) > 500:
		return faulty("note: want up to 500 characters")
	case f.From.IsZero() || !f.To.After(f.From) || !f.To.After(s.Now()):
		return faulty("a freeze has a beginning and, later, an end that is to come")
	case f.To.Sub(f.From) > longest:
		return faulty("a freeze is at most %d days long", longest/(24*time.Hour))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.freezes().Others(f.Name)
	if err == nil && n >= maxFreezes {
		err = faulty("more than %d freezes", maxFreezes)
	}
	if err != nil {
		return err
	}
	f.From, f.To = f.From.UTC(), f.To.UTC()
	return s.freezes().Put(f.Name, f)
}

// RemoveFreeze forgets a freeze.
func (s *Store) RemoveFreeze(name string) error {
	found, err := s.freezes().Remove(name)
	if err == nil && !found {
		err = ErrNone
	}
	return err
}

// Frozen returns the freeze that holds now; of several the one that ends last.
// Nil where none does.
func (s *Store) Frozen() (*Freeze, error) {
	all, err := s.Freezes()
	if err != nil {
		return nil, err
	}
	now := s.Now()
	var holds *Freeze
	for i, f := range all {
		if !now.Before(f.From) && now.Before(f.To) && (holds == nil || f.To.After(holds.To)) {
			holds = &all[i]
		}
	}
	return holds, nil
}
