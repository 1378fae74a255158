package carry

import (
	"archive/tar"
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/records"
)

var at = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

func now() time.Time { return at }

// box is a data folder with something in every part.
func box(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	u, err := auth.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.SetUp(t.Context(), u.SetupCode(), name, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	_, err = certs.Load(dir, func() certs.Names {
		return certs.Names{Host: []string{name}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := records.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{
		"INSERT INTO policy VALUES ('approvals', '2')",
		"INSERT INTO server VALUES ('192.0.2.7', '%s', 'dmz', 1)",
		"INSERT INTO component VALUES ('192.0.2.7', 'nginx', '1.2', '', '', 'by word', '%s', 1)",
		"INSERT INTO output VALUES ('%s', x'7b7d', 77, 88)",
	} {
		if strings.Contains(s, "%s") {
			s = fmt.Sprintf(s, name)
		}
		if _, err := db.Write.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	log := audit.New(db, now, slog.New(slog.DiscardHandler), func(audit.Record) {})
	log.Add(audit.Entry{Who: name, Action: "test", Outcome: "done"})
	return dir
}

func export(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tell says what a box is about, in words.
func tell(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	for _, n := range []string{"users.json", "cert.pem", "key.pem"} {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	db, err := records.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{"SELECT name FROM server", "SELECT source FROM component", "SELECT name FROM output", "SELECT value FROM policy"} {
		var v string
		if err := db.Read.QueryRow(q).Scan(&v); err != nil && err != sql.ErrNoRows {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return strings.Join(out, "\n")
}

func TestImport(t *testing.T) {
	from, to := box(t, "old"), box(t, "new")
	e := export(t, from)
	// The second time is what a power cut leads to.
	for range 2 {
		if err := Import(to, bytes.NewReader(e), "anna", now); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := tell(t, from), tell(t, to); a != b {
		t.Errorf("after Import the box is\n%s\nwant\n%s", b, a)
	}
	db, err := records.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var event, aud int
	if err := db.Read.QueryRow("SELECT event, audit FROM output").Scan(&event, &aud); err != nil || event != 0 || aud != 2 {
		t.Errorf("the output stands at %d, %d, %v; want this box's 0, 2", event, aud, err)
	}
	end, err := audit.Verify(filepath.Join(to, records.File), "")
	if err != nil || end.Seq != 3 {
		t.Errorf("the audit log = %+v, %v; want the box's own record and the two imports", end, err)
	}
	empty := t.TempDir()
	if err := Import(empty, bytes.NewReader(e), "anna", now); err != nil {
		t.Fatal(err)
	}
	if a, b := tell(t, from), tell(t, empty); a != b {
		t.Errorf("after Import a new box is\n%s\nwant\n%s", b, a)
	}
	u, err := auth.Open(empty, time.Now)
	if err != nil || u.SetupCode() != "" {
		t.Errorf("users after Import: %v, set-up code %q; want none", err, u.SetupCode())
	}
}

// What cannot be taken changes nothing.
func TestRefused(t *testing.T) {
	dir := box(t, "mine")
	before := tell(t, dir)
	good := export(t, box(t, "other"))
	with := func(name, text string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := put(w, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return b.Bytes()
	}
	for name, e := range map[string][]byte{
		"cut short":           good[:len(good)/2],
		"a path":              with("../users.json", "{}"),
		"users that are none": with("users.json", "nonsense"),
		"a key alone":         with("key.pem", "nonsense"),
		"records that are no": with(records.File, strings.Repeat("nonsense", 1000)),
	} {
		if err := Check(bytes.NewReader(e)); err == nil {
			t.Errorf("%s: Check = nil; want an error", name)
		}
		if err := Import(dir, bytes.NewReader(e), "anna", now); err == nil {
			t.Errorf("%s: Import = nil; want an error", name)
		}
	}
	if err := Check(bytes.NewReader(good)); err != nil {
		t.Errorf("Check of a good export = %v", err)
	}
	if after := tell(t, dir); after != before {
		t.Errorf("the box was changed to\n%s", after)
	}
}

// TestTables: whoever adds a table says whether it goes along.
func TestTables(t *testing.T) {
	stay := []string{"audit", "change", "draft", "advisory", "found", "standing", "report", "updates_seen", "sqlite_sequence"}
	db, err := records.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Read.Query("SELECT name FROM sqlite_schema WHERE type = 'table'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(tables, name) && !slices.Contains(stay, name) {
			t.Errorf("table %s is new: name it in tables, if people set up what is in it, or here as one that stays", name)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read(bytes.NewReader(b))
	})
}
