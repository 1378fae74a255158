// Package carry takes what people set up on the management page from one box to
// another: users, tokens, certificate, servers and their components, outputs and
// the policy of approvals. Not what has happened: events, the audit log and the
// list of changes stay with the box that they are of; nor advisories, which any
// box can load again. It writes plain secrets to whoever asked; init's program
// settings seals them with a passphrase.
package carry

import (
	"archive/tar"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"wirepatch/mgmt/records"
)

// files are those that go along as they are; the mode is theirs.
var files = map[string]fs.FileMode{"users.json": 0o600, "cert.pem": 0o644, "key.pem": 0o600, "ssh_host_ed25519_key": 0o600}

// tables of the file of records that go along, in an order in which each finds
// what it refers to.
var tables = []string{"policy", "server", "component", "output", "feed", "cycle", "freeze", "schedule"}

// maxPart bounds one part, in bytes.
const maxPart = 64 << 20

// Export writes what is in the data folder as a tar. It may be called while mgmt
// runs; of it and the others in here one is called at a time.
func Export(data string, w io.Writer) error {
	t := tar.NewWriter(w)
	for name := range files {
		text, err := os.ReadFile(filepath.Join(data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if err := put(t, name, text); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	text, err := exportRecords(data)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if text != nil {
		if err := put(t, records.File, text); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return t.Close()
}

func put(t *tar.Writer, name string, text []byte) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600, Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err := t.Write(text)
	return err
}

// exportRecords makes a file of records that has these tables' rows only.
func exportRecords(data string) ([]byte, error) {
	from := filepath.Join(data, records.File)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	to, err := records.Open(dir)
	if err != nil {
		return nil, err
	}
	if to.Trouble != "" {
		to.Close()
		return nil, errors.New(to.Trouble)
	}
	if err := errors.Join(copyTables(to.Write, from, nil), to.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, records.File))
}

// folder makes a temporary folder, and removes one that a power cut left.
func folder() (string, error) {
	dir := filepath.Join(os.TempDir(), "carry")
	return dir, errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
}

// copyTables replaces the rows of the tables in db by those of the file from, all
// in one transaction that and ends.
func copyTables(db *sql.DB, from string, and func(*sql.Tx) error) error {
	source := "file:" + (&url.URL{Path: from}).EscapedPath() + "?mode=ro"
	if _, err := db.Exec("ATTACH ? AS other", source); err != nil {
		return err
	}
	defer db.Exec("DETACH other")
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var do []string
	for i := range tables {
		do = append(do, "DELETE FROM main."+tables[len(tables)-1-i])
	}
	for _, t := range tables {
		do = append(do, "INSERT INTO main."+t+" SELECT * FROM other."+t)
	}
	for _, s := range do {
		if _, err := tx.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if and != nil {
		if err := and(tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// read reads an export into memory.
func read(r io.Reader) (map[string][]byte, error) {
	out := map[string][]byte{}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if _, known := files[h.Name]; !known && h.Name != records.File {
			return nil, fmt.Errorf("%.40q is no part of an export", h.Name)
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxPart || out[h.Name] != nil {
			return nil, fmt.Errorf("%s is no plain file, too large, or there twice", h.Name)
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		out[h.Name] = bytes.Clone(b)
		if strings.HasSuffix(h.Name, ".json") && len(b) == 0 {
			return nil, fmt.Errorf("%s is empty", h.Name)
		}
	}
}
