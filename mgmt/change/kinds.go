package change

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
)

// applyApprovals carries out what as many approved as had to before.
func (m *Manager) applyApprovals(who Who, c *Change) error {
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < 0 || n > MaxApprovals {
		return m.end(who, c, Failed, fmt.Sprintf("%.20q is no number of approvals", c.Value))
	}
	return m.step(who, "policy.approvals", fmt.Sprintf("change %d", c.ID), func(tx *sql.Tx) (string, error) {
		note, err := m.setApprovals(tx, n)
		if err != nil {
			return "", err
		}
		c.State, c.Applied = Done, Step{who.Name, m.Now().UTC(), note}
		return note, save(tx, c)
	})
}

// applyCheck asks the server.
func (m *Manager) applyCheck(ctx context.Context, who Who, c *Change) error {
	if m.Check == nil {
		return m.end(who, c, Failed, "servers cannot be asked from here")
	}
	note, err := m.Check(ctx, c.Value)
	if err != nil {
		return m.end(who, c, Failed, err.Error())
	}
	return m.end(who, c, Done, note)
}

// keeperWho acts where nobody confirmed in time.
var keeperWho = Who{Name: "keeper"}

// noticeTakenBack looks whether the last change that was done is still in force:
// what could cut off management undoes itself.
func (m *Manager) noticeTakenBack(ctx context.Context) error {
	last, err := m.list("SELECT id, body FROM change WHERE state = 'done' ORDER BY id DESC LIMIT 20")
	if err != nil {
		return err
	}
	for _, c := range last {
		if c.Kind != "" {
			continue
		}
		now, err := m.Keeper.Current(ctx)
		if err != nil {
			return nil // init does not answer: nothing can be said
		}
		if now.Text != c.Base || c.Base == c.Text {
			return nil
		}
		_, err = m.move(keeperWho, "change.undone", c.ID, []State{Done}, func(c *Change) (string, error) {
			note := "taken back: it was not confirmed in time, or was put back at the console; what was in force before is in force"
			c.State, c.Undone = Undone, Step{keeperWho.Name, m.Now().UTC(), note}
			return note, nil
		})
		return err
	}
	return nil
}
