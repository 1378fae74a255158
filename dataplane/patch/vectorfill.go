package patch

import (
	"errors"
	"time"

	"wirepatch/dataplane/protocol"
)

// vectorBytes are the bytes of a test with its templates filled in.
type vectorBytes struct {
	client, server       string
	response, clientGets string
}

// changes says whether either side is to get other bytes than were sent to it.
func (b *vectorBytes) changes() bool {
	return b.client != b.server || b.response != b.clientGets
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
	return b, errors.Join(c.errs...)
}
