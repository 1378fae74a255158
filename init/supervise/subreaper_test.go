package supervise

import "golang.org/x/sys/unix"

// becomeSubreaper makes this process what the first one is for the whole box:
// the parent of what its children leave behind.
func becomeSubreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }
