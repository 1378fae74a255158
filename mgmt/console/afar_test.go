package console

import (
	"errors"
	"strings"
	"testing"

	"wirepatch/mgmt/auth"
)

// Over SSH nobody stands before the box: where others must approve changes, the
// menu is no way round them.
func TestNoWayRoundApprovalsFromAfar(t *testing.T) {
	for _, tt := range []struct {
		local bool
		n     int
		err   error
		done  bool
	}{{true, 2, nil, true}, {false, 0, nil, true}, {false, 1, nil, false}, {false, 0, errors.New("disk"), false}} {
		b := newBench(t)
		b.user("admin", auth.Administrator)
		b.Local, b.Approvals = tt.local, func() (int, error) { return tt.n, tt.err }
		if !tt.local {
			b.User = "admin"
		}
		b.open()
		if tt.local {
			b.signIn("admin")
		}
		if !tt.local {
			b.wait(`> $`)
		}
		b.talk(``, "13", `Type yes`, "yes", `> $`)
		if got := b.settings().Wire.Bypass; got != tt.done {
			t.Errorf("local %v, %d approvals, %v: bypass = %v; want %v", tt.local, tt.n, tt.err, got, tt.done)
		}
		if tt.done {
			continue
		}
		b.wantAudited("settings.change", "bypass on", "failed")
		b.talk(``, "10", `> $`)
		if strings.Contains(b.all(), "Type rack7") {
			t.Error("a factory reset is offered from afar")
		}
	}
}
