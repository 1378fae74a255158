package auth

import (
	"fmt"
	"strings"
)

// Role is what a user or token may do. Which page or request takes which roles
// is said in one table, the site's routes.
type Role uint8

// The roles, as bits, so that a set of them is one value.
const (
	Administrator Role = 1 << iota // users, settings of the management plane, and what operators do
	Operator                       // proposes and carries out changes, keeps the inventory
	Approver                       // approves what another proposed
	Auditor                        // sees everything, the audit log included, and changes nothing
)

// Everyone is all roles.
const Everyone = Administrator | Operator | Approver | Auditor

var roleNames = []struct {
	role Role
	name string
}{{Administrator, "administrator"}, {Operator, "operator"}, {Approver, "approver"}, {Auditor, "auditor"}}

// RoleNames lists the roles.
func RoleNames() []string {
	var all []string
	for _, r := range roleNames {
		all = append(all, r.name)
	}
	return all
}

func (r Role) String() string {
	var all []string
	for _, n := range roleNames {
		if r&n.role != 0 {
			all = append(all, n.name)
		}
	}
	return strings.Join(all, ", ")
}

// MarshalText writes the one role.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads one role.
func (r *Role) UnmarshalText(text []byte) error {
	for _, n := range roleNames {
		if n.name == string(text) {
			*r = n.role
			return nil
		}
	}
	return fmt.Errorf("got role %q, want one of %s", text, strings.Join(RoleNames(), ", "))
}

// In says whether r is one of set.
func (r Role) In(set Role) bool { return r&set != 0 }
