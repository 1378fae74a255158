package patch

import (
	"sync/atomic"

	"wirepatch/dataplane/protocol"
)

// For returns the rules as they are for one service, in which definitions may
// have modes of their own.
func (s *Set) For(service string) protocol.Rules {
	v := &view{set: s, service: service, kinds: map[string]bool{}, surveys: map[string]bool{}, holds: map[string]int{}, awaits: map[string]bool{}}
	for _, r := range s.rules {
		if r.def.modeIn(service) == Off {
			continue
		}
		v.kinds[r.kind] = true
		v.surveys[r.kind] = v.surveys[r.kind] || r.surveys()
		for _, k := range r.reads {
			v.kinds[k] = true
		}
		v.holds[r.kind] = max(v.holds[r.kind], r.hold)
		v.awaits[r.def.Protocol] = v.awaits[r.def.Protocol] || r.awaits
	}
	return v
}

// view is a Set as one service sees it.
type view struct {
	set     *Set
	service string
	kinds   map[string]bool
	surveys map[string]bool
	holds   map[string]int
	awaits  map[string]bool
}

func (v *view) Wants(kind string) bool { return v.kinds[kind] }
func (v *view) Hold(kind string) int   { return v.holds[kind] }
func (v *view) Awaits(p string) bool   { return v.awaits[p] }
func (v *view) Watch(m *protocol.Message, kind string, fields []protocol.Written) (protocol.Search, bool) {
	return v.set.watch(m, kind, fields, v.service)
}
func (v *view) WantsOf(m *protocol.Message, kind string) bool {
	return v.kinds[kind] && v.set.wantsOf(m, kind, v.service)
}
func (v *view) Match(m *protocol.Message) []protocol.Correction {
	return v.set.match(m, v.service)
}

func (v *view) SurveyOf(kind string) bool { return v.surveys[kind] }
func (v *view) Survey(m *protocol.Message) []protocol.Correction {
	return v.set.surveyFor(m, v.service)
}

// modeIn is the definition's mode for one service.
func (l *loaded) modeIn(service string) string {
	if m, ok := l.byService[service]; ok {
		return m
	}
	return l.mode
}

// Live is the rules of one service through all generations: its sessions ask
// the newest one, each from its next message on.
type Live struct {
	now atomic.Pointer[protocol.Rules]
}

// Use puts rules in force.
func (l *Live) Use(r protocol.Rules) { l.now.Store(&r) }

// Wants implements protocol.Rules.
func (l *Live) Wants(kind string) bool {
	r := l.now.Load()
	return r != nil && (*r).Wants(kind)
}

// Match implements protocol.Rules.
func (l *Live) Match(m *protocol.Message) []protocol.Correction {
	if r := l.now.Load(); r != nil {
		return (*r).Match(m)
	}
	return nil
}

// Hold implements protocol.Holder.
func (l *Live) Hold(kind string) int {
	if r := l.now.Load(); r != nil {
		if h, ok := (*r).(protocol.Holder); ok {
			return h.Hold(kind)
		}
	}
	return 0
}

// Awaits implements protocol.Awaiter.
func (l *Live) Awaits(name string) bool {
	if r := l.now.Load(); r != nil {
		if a, ok := (*r).(protocol.Awaiter); ok {
			return a.Awaits(name)
		}
	}
	return false
}

// SurveyOf implements protocol.Surveyor.
func (l *Live) SurveyOf(kind string) bool {
	r := l.now.Load()
	if r == nil {
		return false
	}
	s, ok := (*r).(protocol.Surveyor)
	return ok && s.SurveyOf(kind)
}

// Survey implements protocol.Surveyor.
func (l *Live) Survey(m *protocol.Message) []protocol.Correction {
	if r := l.now.Load(); r != nil {
		if s, ok := (*r).(protocol.Surveyor); ok {
			return s.Survey(m)
		}
	}
	return nil
}

// WantsOf implements protocol.Narrower.
func (l *Live) WantsOf(m *protocol.Message, kind string) bool {
	r := l.now.Load()
	if r == nil {
		return false
	}
	if n, ok := (*r).(protocol.Narrower); ok {
		return n.WantsOf(m, kind)
	}
	return (*r).Wants(kind)
}

// Watch implements protocol.Watcher.
func (l *Live) Watch(m *protocol.Message, kind string, fields []protocol.Written) (protocol.Search, bool) {
	if r := l.now.Load(); r != nil {
		if w, ok := (*r).(protocol.Watcher); ok {
			return w.Watch(m, kind, fields)
		}
	}
	return nil, false
}

var (
	_ protocol.Narrower = (*Live)(nil)
	_ protocol.Watcher  = (*Live)(nil)
	_ protocol.Watcher  = (*view)(nil)
	_ protocol.Surveyor = (*Live)(nil)
	_ protocol.Surveyor = (*view)(nil)
	_ protocol.Narrower = (*view)(nil)
	_ protocol.Rules    = (*Live)(nil)
	_ protocol.Holder   = (*Live)(nil)
	_ protocol.Holder   = (*view)(nil)
)
