// Package system reads what the kernel tells about the load of the box.
package system

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Interval is the time over which the processor's load is taken.
const Interval = 2 * time.Second

// Figures are the system's figures at one moment. What could not be read is
// zero.
type Figures struct {
	CPUs         int        `json:"cpus"`
	CPUBusy      float64    `json:"cpu_busy"`  // share of all processors over the last Interval, 0 to 1
	Load         [3]float64 `json:"load"`      // over 1, 5 and 15 minutes
	MemTotal     uint64     `json:"mem_total"` // bytes
	MemAvailable uint64     `json:"mem_available"`
	Uptime       int64      `json:"uptime"`     // seconds since power-on
	DataTotal    uint64     `json:"data_total"` // of the file system with the settings, bytes
	DataFree     uint64     `json:"data_free"`
}

// Sampler reads the figures again and again.
type Sampler struct {
	fs   procfs.FS
	data string

	last procfs.CPUStat // of the sampling goroutine alone
	mu   sync.Mutex
	f    Figures
	past []Minute
}

// MinutesKept is how many minutes of load are kept.
const MinutesKept = 120

// Minute is the load of one minute, each a share from 0 to 1.
type Minute struct {
	At     time.Time `json:"at"` // its beginning
	CPU    float64   `json:"cpu"`
	Memory float64   `json:"memory"`

	samples int
}

// New returns a Sampler; data is a folder on the data partition.
func New(data string) (*Sampler, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	return &Sampler{fs: fs, data: data}, nil
}

// Run samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		s.sample()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Figures returns the last sample.
func (s *Sampler) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.f
}

// Past returns the minutes that are kept, oldest first.
func (s *Sampler) Past() []Minute {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.past)
}

// average adds a sample to the minutes. One of a clock that was set back counts
// for the last.
func average(list []Minute, f Figures, at time.Time) []Minute {
	minute, n := at.UTC().Truncate(time.Minute), len(list)
	if n == 0 || minute.After(list[n-1].At) {
		if n >= MinutesKept {
			list = slices.Delete(list, 0, n-MinutesKept+1)
		}
		list = append(list, Minute{At: minute})
	}
	m := &list[len(list)-1]
	m.samples++
	m.CPU += (f.CPUBusy - m.CPU) / float64(m.samples)
	if f.MemTotal > 0 {
		m.Memory += (1 - float64(min(f.MemTotal, f.MemAvailable))/float64(f.MemTotal) - m.Memory) / float64(m.samples)
	}
	return list
}

// Resident returns the resident memory of a process in bytes, 0 if unknown.
func (s *Sampler) Resident(pid int) uint64 {
	p, err := s.fs.Proc(pid)
	if err != nil {
		return 0
	}
	st, err := p.Stat()
	if err != nil {
		return 0
	}
	return uint64(max(0, st.RSS)) * uint64(os.Getpagesize())
}

func (s *Sampler) sample() {
	var f Figures
	s.processors(&f)
	if m, err := s.fs.Meminfo(); err == nil {
		f.MemTotal, f.MemAvailable = value(m.MemTotalBytes), value(m.MemAvailableBytes)
	}
	if l, err := s.fs.LoadAvg(); err == nil {
		f.Load = [3]float64{l.Load1, l.Load5, l.Load15}
	}
	var fs unix.Statfs_t
	if unix.Statfs(s.data, &fs) == nil {
		f.DataTotal, f.DataFree = fs.Blocks*uint64(fs.Bsize), fs.Bavail*uint64(fs.Bsize)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.f, s.past = f, average(s.past, f, time.Now())
}

// processors needs no clock but the kernel's own: uptime is the time since
// boot, whatever the box thinks the date is.
func (s *Sampler) processors(f *Figures) {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		f.Uptime = info.Uptime
	}
	st, err := s.fs.Stat()
	if err != nil {
		return
	}
	f.CPUs = len(st.CPU)
	f.CPUBusy = busy(s.last, st.CPUTotal)
	s.last = st.CPUTotal
}

// busy is the share of the time between two readings that was not idle.
func busy(old, new procfs.CPUStat) float64 {
	total := func(c procfs.CPUStat) float64 {
		return c.User + c.Nice + c.System + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ + c.Steal
	}
	dt := total(new) - total(old)
	if dt <= 0 {
		return 0
	}
	idle := new.Idle + new.Iowait - old.Idle - old.Iowait
	return min(1, max(0, 1-idle/dt))
}

func value(p *uint64) uint64 {
	if p == nil {
		return 0
	}
	return *p
}
