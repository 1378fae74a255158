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
	if _, err := c.Rehearse(t.Context(), MaxRehearsal); err != nil {
		t.Errorf("a fourth rehearsal: %v; want it taken", err)
	}
	if _, err := c.Rehearse(t.Context(), DefaultRehearsal); err == nil || !strings.Contains(err.Error(), "wait 10m") && !strings.Contains(err.Error(), "wait 9m") {
		t.Errorf("Rehearse after 11.6 s of standstill = %v; want it refused for some minutes", err)
	}
	for _, d := range []time.Duration{MinRehearsal - time.Millisecond, MaxRehearsal + time.Millisecond} {
		if _, err := c.Rehearse(t.Context(), d); err == nil || !strings.Contains(err.Error(), "want 600 to 5000") {
			t.Errorf("Rehearse(%v) = %v; want it refused", d, err)
		}
	}
	var s standstills
	begin := time.Now()
	for i, st := range []struct{ after, d, wait time.Duration }{{0, 5 * time.Second, 0}, {time.Minute, 5 * time.Second, 0}, {2 * time.Minute, 5 * time.Second, 8 * time.Minute}, {2 * time.Minute, 2 * time.Second, 0}, {10 * time.Minute, 5 * time.Second, 0}, {10 * time.Minute, time.Second, time.Minute}, {11 * time.Minute, time.Second, 0}} {
		if got := s.take(begin.Add(st.after), st.d); got != st.wait {
			t.Errorf("step %d: %v after %v: wait %v; want %v", i, st.d, st.after, got, st.wait)
		}
	}
	plain, _ := serve(t, &source{}, NewLog())
	if _, err := plain.Rehearse(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no rehearsal") {
		t.Errorf("Rehearse of a source without = %v; want it refused", err)
	}
}
