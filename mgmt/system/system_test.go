package system

import (
	"os"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

func TestSample(t *testing.T) {
	s, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.sample()
	f := s.Figures()
	if f.CPUs < 1 || f.MemTotal == 0 || f.MemAvailable == 0 || f.MemAvailable > f.MemTotal || f.Uptime <= 0 || f.DataTotal == 0 || f.DataFree > f.DataTotal {
		t.Errorf("Figures = %+v; want the figures of this machine", f)
	}
	if f.CPUBusy < 0 || f.CPUBusy > 1 {
		t.Errorf("CPUBusy = %v; want 0 to 1", f.CPUBusy)
	}
	if m := s.Resident(os.Getpid()); m < 1<<20 {
		t.Errorf("Resident(self) = %d; want more than a MiB", m)
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if m := s.Resident(pid); m != 0 {
			t.Errorf("Resident(%d) = %d; want 0", pid, m)
		}
	}
}

func TestMinutes(t *testing.T) {
	at := time.Date(2026, 11, 26, 8, 0, 1, 0, time.UTC)
	half := Figures{CPUBusy: 0.5, MemTotal: 100, MemAvailable: 75}
	list := average(nil, Figures{CPUBusy: 1, MemTotal: 100, MemAvailable: 25}, at)
	list = average(list, half, at.Add(2*time.Second))
	list = average(list, half, at.Add(time.Minute))
	list = average(list, half, at) // a clock that was set back
	if len(list) != 2 || list[0].CPU != 0.75 || list[0].Memory != 0.5 || list[1].CPU != 0.5 || list[1].Memory != 0.25 {
		t.Errorf("%+v; want two minutes, the first half way between its samples", list)
	}
	for i := range 2 * MinutesKept {
		list = average(list, half, at.Add(time.Duration(i)*time.Minute))
	}
	if len(list) != MinutesKept || list[0].At.After(list[1].At) {
		t.Errorf("%d minutes are kept; want %d, oldest first", len(list), MinutesKept)
	}
}

func TestBusy(t *testing.T) {
	at := func(user, idle, iowait float64) procfs.CPUStat {
		return procfs.CPUStat{User: user, Idle: idle, Iowait: iowait}
	}
	tests := []struct {
		old, new procfs.CPUStat
		want     float64
	}{
		{at(0, 0, 0), at(1, 3, 0), 0.25},
		{at(1, 3, 0), at(1, 3, 0), 0},
		{at(0, 0, 0), at(0, 1, 1), 0},
		{at(5, 0, 0), at(7, 0, 0), 1},
		{at(5, 5, 5), at(0, 0, 0), 0}, // counters that fell
		{at(0, 5, 5), at(9, 4, 4), 1}, // idle time that fell, as kernels do
	}
	for _, tt := range tests {
		if got := busy(tt.old, tt.new); got != tt.want {
			t.Errorf("busy(%+v, %+v) = %v; want %v", tt.old, tt.new, got, tt.want)
		}
	}
}
