package patch

import (
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Result is what became of a session that Run played.
type Result struct {
	Server, Client []byte // what each side got
	End            session.End
	Evidence       []session.Evidence
	Failed         []string // evaluations that failed, or cost too much: of which rule, at what, and why
}

// Run plays one session with a definition in correct mode: all bytes of the
// client, then all of the server; over UDP, a datagram of each. It is for authors; Test is the proof.
func Run(def *Definition, d Decoder, client, server []byte) (*Result, error) {
	set, errs := Compile([]*Definition{def}, map[string]protocol.Schema{def.Protocol: d.Schema}, map[string]string{def.ID: Correct})
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	failed := new(unjudged)
	set.defs[0].unjudged = failed
	f, err := d.open("", set)
	if err != nil {
		return nil, err
	}
	if err := f.send(session.ToServer, client); err != nil {
		return nil, err
	}
	if err := f.send(session.ToClient, server); err != nil {
		return nil, err
	}
	return &Result{
		Server: f.dirs[session.ToServer].out, Client: f.dirs[session.ToClient].out,
		End: f.end, Evidence: f.evidence, Failed: failed.texts(),
	}, nil
}
