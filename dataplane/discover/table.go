package discover

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"wirepatch/dataplane/banner"
	"wirepatch/dataplane/port"
)

// Bounds of what is kept.
const (
	maxServices = 4096
	maxTalks    = 128              // sessions whose beginning is put together
	talkTime    = 10 * time.Second // for a server to say what it is
)

// Service is one address and port that answered.
type Service struct {
	Address  netip.Addr
	Port     uint16
	UDP      bool
	Protocol string // "" unknown
	Names    []string
	Software []banner.Software
	First    time.Time
	Last     time.Time
	Sampled  uint64 // sessions and datagrams looked at
}

type key struct {
	at  netip.AddrPort
	udp bool
}

type ends struct{ server, client netip.AddrPort }

// talk is the beginning of what a server says in one session.
type talk struct {
	said  []byte
	parts map[uint32][]byte // that came ahead of a gap
	held  int
	begun time.Time
}

// Table keeps the services. It is safe for concurrent use.
type Table struct {
	now func() time.Time

	mu       sync.Mutex
	services map[key]*Service
	talks    map[ends]*talk
}

// New returns an empty table.
func New(now func() time.Time) *Table {
	return &Table{now: now, services: map[key]*Service{}, talks: map[ends]*talk{}}
}

// Add takes one sighting.
func (t *Table) Add(s port.Sighting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	switch {
	case s.UDP:
		if f := banner.UDP(s.Server.Port(), s.Client.Port(), s.Data); f.Protocol != "" {
			v := t.service(key{s.Server, true}, now)
			v.Sampled++
			v.take(f, now)
		}
	case s.Begins:
		v := t.service(key{s.Server, false}, now)
		v.Sampled++
		t.begin(ends{s.Server, s.Client}, now)
	default:
		t.hear(s, now)
	}
}

// hear takes a piece of a session that is followed.
func (t *Table) hear(s port.Sighting, now time.Time) {
	e := ends{s.Server, s.Client}
	k := t.talks[e]
	if k == nil {
		return
	}
	before := len(k.said)
	k.put(s.Offset, s.Data)
	if len(k.said) == before {
		return
	}
	f, more := banner.Identify(s.Server.Port(), k.said)
	t.service(key{s.Server, false}, now).take(f, now)
	if !more || len(k.said) >= banner.MaxSaid {
		delete(t.talks, e)
	}
}

// put adds bytes at their place; what lies ahead of a gap is kept for later.
func (k *talk) put(at uint32, data []byte) {
	if int64(at)+int64(len(data)) > banner.MaxSaid {
		data = data[:max(0, min(len(data), banner.MaxSaid-int(min(at, banner.MaxSaid))))]
	}
	if int(at) > len(k.said) {
		if k.held+len(data) <= banner.MaxSaid && len(k.parts) < 16 && len(data) > 0 {
			k.held += len(data)
			k.parts[at] = slices.Clone(data)
		}
		return
	}
	if skip := len(k.said) - int(at); skip < len(data) {
		k.said = append(k.said, data[skip:]...)
	}
	for a, p := range k.parts {
		if int(a) <= len(k.said) {
			delete(k.parts, a)
			k.put(a, p)
			return
		}
	}
}

func (t *Table) begin(e ends, now time.Time) {
	for old, k := range t.talks {
		if now.Sub(k.begun) > talkTime {
			delete(t.talks, old)
		}
	}
	if len(t.talks) < maxTalks {
		t.talks[e] = &talk{parts: map[uint32][]byte{}, begun: now}
	}
}

// service returns the entry of k. When the table is full, the one that has been
// silent longest gives way.
func (t *Table) service(k key, now time.Time) *Service {
	v := t.services[k]
	if v == nil {
		if len(t.services) >= maxServices {
			t.forget()
		}
		v = &Service{Address: k.at.Addr(), Port: k.at.Port(), UDP: k.udp, First: now}
		t.services[k] = v
	}
	v.Last = now
	return v
}

func (t *Table) forget() {
	var oldest key
	var last time.Time
	for k, v := range t.services {
		if last.IsZero() || v.Last.Before(last) {
			oldest, last = k, v.Last
		}
	}
	delete(t.services, oldest)
}

// take adds what a service said of itself. What it says now counts; what it said
// before and does not say now was another program, or another version.
func (v *Service) take(f banner.Finding, now time.Time) {
	if f.Protocol != "" {
		v.Protocol = f.Protocol
	}
	for _, n := range f.Names {
		if n != "" && !slices.Contains(v.Names, n) && len(v.Names) < banner.MaxNames {
			v.Names = append(v.Names, n)
		}
	}
	for _, s := range f.Software {
		s.Seen = now
		i := slices.IndexFunc(v.Software, func(o banner.Software) bool { return o.Name == s.Name })
		switch {
		case i >= 0 && (s.Version != "" || v.Software[i].Version == ""):
			v.Software[i] = s
		case i < 0 && len(v.Software) < banner.MaxSoftware:
			v.Software = append(v.Software, s)
		}
	}
}

// Services returns copies of all entries, by address and port.
func (t *Table) Services() []Service {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Service, 0, len(t.services))
	for _, v := range t.services {
		c := *v
		c.Names, c.Software = slices.Clone(v.Names), slices.Clone(v.Software)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
	return all
}
