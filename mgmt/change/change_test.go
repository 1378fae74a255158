package change

import (
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/store"
)

// An approval is for one plan: whatever is altered is another.
func TestPlan(t *testing.T) {
	base := Change{Base: "a", Text: "b", Reason: "c"}
	seen := map[string]bool{planOf(&base): true}
	for name, alter := range map[string]func(*Change){
		"base": func(c *Change) { c.Base = "x" }, "text": func(c *Change) { c.Text = "x" }, "reason": func(c *Change) { c.Reason = "x" },
		"window": func(c *Change) { c.From = c.From.AddDate(1, 0, 0) }, "moved": func(c *Change) { c.Base, c.Text = "ab", "" },
	} {
		c := base
		alter(&c)
		if p := planOf(&c); seen[p] {
			t.Errorf("another %s has the same plan", name)
		} else {
			seen[p] = true
		}
	}
}

// Who raises how many must approve, raises it for what waits, too: else the change
// that lowers it again would still go through with the few.
func TestMoreApprovals(t *testing.T) {
	m := aged(t, 0)
	ask := func(n int) *Change {
		t.Helper()
		c, err := m.SetApprovals(t.Context(), Who{Name: "boss"}, n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask(1)
	c := ask(0)
	if c == nil || c.State != Submitted || c.Needed != 1 {
		t.Fatalf("fewer approvals: %+v; want a change that needs one", c)
	}
	ask(2)
	c, err := m.Approve(t.Context(), Who{Name: "one"}, c.ID, c.Plan)
	if err != nil {
		t.Fatal(err)
	}
	if c.State != Submitted || c.Needed != 2 {
		t.Errorf("after one approval: %s, needs %d; want that it waits for the other of two", c.State, c.Needed)
	}
	if c, err = m.Approve(t.Context(), Who{Name: "other"}, c.ID, c.Plan); err != nil || c.State != Done {
		t.Errorf("after two approvals: %+v, %v; want it done", c, err)
	}
	if n, err := m.Approvals(); n != 0 || err != nil {
		t.Errorf("%d must approve, %v; want none", n, err)
	}
}

func TestDifferences(t *testing.T) {
	want, err := settings.Parse([]byte("[service web]\naddress=10.0.0.1\nport=80\n[service mail]\naddress=10.0.0.2\nport=80\n[patch A]\nmode=shadow\nmode.web=correct\n"))
	if err != nil {
		t.Fatal(err)
	}
	good := control.Status{Services: []control.Service{{Name: "web", Port: 80, Protocol: "http"}, {Name: "mail", Port: 80, Protocol: "http"}},
		Definitions: []control.Definition{{ID: "A", Mode: "shadow", Services: map[string]string{"web": "correct"}}, {ID: "B", Mode: "correct"}}}
	if got := Differences(want, &good); len(got) != 0 {
		t.Errorf("Differences = %q; want none", got)
	}
	bad := control.Status{Services: []control.Service{{Name: "web", Port: 81, Protocol: "http"}, {Name: "old", Port: 80}},
		Definitions: []control.Definition{{ID: "A", Mode: "off", Error: "tests fail"}}}
	got := strings.Join(Differences(want, &bad), "\n")
	for _, w := range []string{"service web is port 81", "service mail is not protected", "service old is still protected", "A is off", "A is off in web", "A is set aside: tests fail"} {
		if !strings.Contains(got, w) {
			t.Errorf("Differences lack %q:\n%s", w, got)
		}
	}
}

// Which change went into force last is found without reading all that ever did.
func TestLastAppliedByIndex(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{Schema, AppliedSchema}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Read.Query("EXPLAIN QUERY PLAN " + selectLastApplied)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	plan := ""
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan += detail + "\n"
	}
	if !strings.Contains(plan, "USING INDEX change_applied") || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("the plan is\n%s", plan)
	}
}
