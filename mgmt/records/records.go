// Package records is the file of what must not be lost: the audit log and all
// that is decided on the box. It is apart from the file of events, which is
// large, written all the time, and may be given up.
package records

import (
	"path/filepath"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/out"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/upkeep"
)

// File is its name in the data folder.
const File = "records.db"

var schema = store.Schema{Durable: true, Steps: []string{audit.Schema, change.Schema, inventory.Schema, out.Schema, inventory.FoundSchema, inventory.StandingSchema, feed.Schema, cycle.Schema, report.Schema, cycle.FreezeSchema, change.AppliedSchema, upkeep.Schema}}

// Open opens the file in the folder dir.
func Open(dir string) (*store.DB, error) { return store.Open(filepath.Join(dir, File), schema) }
