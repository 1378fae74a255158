package protocol

// Memory is what rules remember about one session. A decoder has one for each
// session and hands it over with every message; what is in it is the rules'
// affair. The zero value is empty and ready.
type Memory struct {
	values map[Name]any
	parts  [2]map[string]Part
}

// Name is the name of a variable and the definition whose it is.
type Name struct{ Definition, Variable string }

// maxRemembered bounds the variables of one session, so that no number of
// definitions makes sessions heavy.
const maxRemembered = 256

// Empty says that nothing is remembered from one message to the next.
func (m *Memory) Empty() bool { return len(m.values) == 0 }

// Get returns a variable; false: it has never been set.
func (m *Memory) Get(n Name) (any, bool) {
	v, ok := m.values[n]
	return v, ok
}

// Set gives a variable a value; false: the session has too many.
func (m *Memory) Set(n Name, v any) bool {
	if _, known := m.values[n]; !known && len(m.values) >= maxRemembered {
		return false
	}
	if m.values == nil {
		m.values = map[Name]any{}
	}
	m.values[n] = v
	return true
}

// Part counts the elements of one kind in a message that is shown in parts.
type Part struct{ Count, Size int64 }

// Parts returns what has been counted of a direction's message, by kind; fresh
// begins a new message.
func (m *Memory) Parts(dir int, fresh bool) map[string]Part {
	if fresh {
		clear(m.parts[dir])
	}
	if m.parts[dir] == nil {
		m.parts[dir] = map[string]Part{}
	}
	return m.parts[dir]
}
