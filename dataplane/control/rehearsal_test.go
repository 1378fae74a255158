package control

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type rehearser struct {
	source
	asked time.Duration
}

func (r *rehearser) Rehearse(_ context.Context, d time.Duration) (Rehearsal, error) {
	r.asked = d
	return Rehearsal{StoppedMS: d.Milliseconds(), Services: []RehearsedService{{Name: "web", Fail: "open", Passed: 3}}}, nil
}

func TestRehearse(t *testing.T) {
	src := &rehearser{}
	c, _ := serve(t, src, NewLog())
	for d, want := range map[time.Duration]time.Duration{0: DefaultRehearsal, MinRehearsal: MinRehearsal, MaxRehearsal: MaxRehearsal} {
		got, err := c.Rehearse(t.Context(), d)
		answer := Rehearsal{StoppedMS: want.Milliseconds(), Services: []RehearsedService{{Name: "web", Fail: "open", Passed: 3}}}
		if diff := cmp.Diff(answer, got); diff != "" || err != nil || src.asked != want {
			t.Errorf("Rehearse(%v) asked for %v, %v (-want +got):\n%s", d, src.asked, err, diff)
		}
	}
	for _, d := range []time.Duration{MinRehearsal - time.Millisecond, MaxRehearsal + time.Millisecond} {
		if _, err := c.Rehearse(t.Context(), d); err == nil || !strings.Contains(err.Error(), "want 600 to 5000") {
			t.Errorf("Rehearse(%v) = %v; want it refused", d, err)
		}
	}
	plain, _ := serve(t, &source{}, NewLog())
	if _, err := plain.Rehearse(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no rehearsal") {
		t.Errorf("Rehearse of a source without = %v; want it refused", err)
	}
}
