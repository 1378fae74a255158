package patch

import (
	"errors"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// vectorBytes are the bytes of a test with its templates filled in.
type vectorBytes struct {
	client, server       string
	response, clientGets string
	steps                []stepBytes
}

// stepBytes are the bytes of one step: who sends what, and what then arrives.
type stepBytes struct {
	from  session.Direction
	sends string
	gets  [2]string // by direction: what comes out there
}

// changes says whether either side is to get other bytes than were sent to it, at
// whatever step.
func (b *vectorBytes) changes() bool {
	var sent, got [2]string
	for _, s := range b.steps {
		sent[s.from] += s.sends
		got[session.ToServer] += s.gets[session.ToServer]
		got[session.ToClient] += s.gets[session.ToClient]
	}
	return sent != got || b.client != b.server || b.response != b.clientGets
}

func fillVector(v *Vector) (*vectorBytes, error) {
	envs, err := newEnvironments()
	if err != nil {
		return nil, err
	}
	c := &compiler{envs: envs, schema: &protocol.Schema{}}
	act := &activation{date: func() time.Time { return TestTime }}
	fill := func(t *Text, missing string) string {
		if t == nil {
			return missing
		}
		tmpl := c.template(*t)
		if len(c.errs) > 0 {
			return ""
		}
		s, err := tmpl.fill(act, nil)
		if err != nil {
			c.fail(t.Pos, "%v", err)
		}
		return s
	}
	b := &vectorBytes{}
	b.client = fill(&v.Client, "")
	b.server = fill(v.Server, b.client)
	b.response = fill(v.Response, "")
	b.clientGets = fill(v.ClientGets, b.response)
	for i := range v.Steps {
		s := &v.Steps[i]
		one := stepBytes{from: session.ToServer, sends: fill(&s.Sends, "")}
		if s.FromServer {
			one.from = session.ToClient
		}
		one.gets[one.from] = one.sends
		one.gets[session.ToServer] = fill(s.ServerGets, one.gets[session.ToServer])
		one.gets[session.ToClient] = fill(s.ClientGets, one.gets[session.ToClient])
		b.steps = append(b.steps, one)
	}
	return b, errors.Join(c.errs...)
}
