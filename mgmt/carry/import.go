package carry

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"wirepatch/board/atomicfile"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/records"
)

// Check says whether Import would take an export, and changes nothing.
func Check(r io.Reader) error {
	dir, _, err := unpack(r)
	if dir != "" {
		defer os.RemoveAll(dir)
	}
	return err
}

// Import puts what Export wrote in place of what is in the data folder. mgmt does
// not run meanwhile. It can be done again after a power cut, with the same end.
func Import(data string, r io.Reader, who string, now func() time.Time) error {
	dir, parts, err := unpack(r)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if parts[records.File] != nil {
		if err := importRecords(data, dir, who, now); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	if parts["cert.pem"] != nil {
		// One that was about to take the certificate's place.
		if err := atomicfile.Remove(filepath.Join(data, "next.pem")); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	for name, mode := range files {
		if parts[name] == nil {
			continue
		}
		if err := atomicfile.Write(filepath.Join(data, name), parts[name], mode); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	return nil
}

// unpack lays an export into a folder of its own and looks at each part as the
// programs will.
func unpack(r io.Reader) (dir string, parts map[string][]byte, err error) {
	if parts, err = read(r); err != nil {
		return "", nil, fmt.Errorf("import: %w", err)
	}
	if dir, err = folder(); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
			dir = ""
		}
	}()
	for name, text := range parts {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return dir, nil, err
		}
	}
	if parts["users.json"] != nil {
		if _, err := auth.Open(dir, time.Now); err != nil {
			return dir, nil, fmt.Errorf("import: users: %w", err)
		}
	}
	if parts["key.pem"] != nil || parts["cert.pem"] != nil {
		if _, err := tls.X509KeyPair(parts["cert.pem"], parts["key.pem"]); err != nil {
			return dir, nil, fmt.Errorf("import: certificate: %w", err)
		}
	}
	if parts[records.File] != nil {
		// One of earlier firmware is brought up to date here.
		db, err := records.Open(dir)
		if err != nil {
			return dir, nil, err
		}
		if err := db.Close(); err != nil {
			return dir, nil, err
		}
		if db.Trouble != "" {
			return dir, nil, errors.New("import: the export's records are damaged or of later firmware; update this box first")
		}
	}
	return dir, parts, nil
}

func importRecords(data, dir, who string, now func() time.Time) error {
	db, err := records.Open(data)
	if err != nil {
		return err
	}
	defer db.Close()
	if db.Trouble != "" {
		return errors.New(db.Trouble)
	}
	return copyTables(db.Write, filepath.Join(dir, records.File), func(tx *sql.Tx) error {
		// Numbers of another box say nothing here: outputs go on with what this
		// one has kept.
		if _, err := tx.Exec("UPDATE output SET event = 0, audit = (SELECT coalesce(max(seq), 0) FROM audit)"); err != nil {
			return err
		}
		_, err := audit.AddTo(tx, audit.Entry{Time: now().UTC(), Who: who, Action: "settings.import", Object: "users, certificate, servers, outputs, policy", Outcome: "done"})
		return err
	})
}
