package whole

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Datagram puts an outcome in a datagram's terms. a reject
// of what a server sent stands in its place, one of what a client sent goes back
// to it. Reset means that nothing more passes between the two.
func (o *Outcome) Datagram(m *protocol.Message) session.DatagramVerdict {
	v := session.DatagramVerdict{Edits: o.Edits, Evidence: o.Evidence}
	switch o.Kind {
	case Reject:
		if m.Dir == session.ToClient {
			v.Edits = []session.Edit{{Start: 0, End: len(m.Data), With: o.Reply}}
			return v
		}
		v.Drop, v.Reply = true, o.Reply
	case Drop:
		v.Drop = true
	case Reset:
		v.Drop, v.Rest = true, session.BlockRest
	}
	return v
}

// WantsAny says whether rules ask for any of these elements.
func WantsAny(rules protocol.Rules, kinds ...string) bool {
	for _, k := range kinds {
		if rules.Wants(k) {
			return true
		}
	}
	return false
}
