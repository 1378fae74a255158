package web

import (
	"regexp"
	"slices"

	"wirepatch/board/keeper"
	"wirepatch/mgmt/change"
)

// The settings hold secrets in one form only: name and password within the address
// of a repository or proxy that wants them. Whoever may edit the settings sees
// them, nobody else: not in the file, its history, nor in what a change is judged by.

var credentials = regexp.MustCompile(`(://)[^/?#\s"]*@`)

// masked is a text of the settings as the visitor may see it.
func (v visit) masked(text string) string {
	if v.role.In(editors) {
		return text
	}
	return credentials.ReplaceAllString(text, "${1}(left out)@")
}

// maskedChange is a change as the visitor may see it; its plan is of what it really is.
func (v visit) maskedChange(c *change.Change) *change.Change {
	if c == nil {
		return nil
	}
	shown := *c
	shown.Base, shown.Text = v.masked(c.Base), v.masked(c.Text)
	return &shown
}

func (v visit) maskedDraft(d *change.Draft) *change.Draft {
	if d == nil {
		return nil
	}
	shown := *d
	shown.Base, shown.Text = v.masked(d.Base), v.masked(d.Text)
	return &shown
}

func (v visit) maskedRevisions(all []keeper.Revision) []keeper.Revision {
	all = slices.Clone(all)
	for i := range all {
		all[i].Text = v.masked(all[i].Text)
	}
	return all
}
