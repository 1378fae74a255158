// Package decoders is the one list of the decoders that this firmware has, by
// the name under which a service and a definition ask for them. The dataplane
// makes inspectors of sessions from it, the author's command tests definitions
// with it. What a decoder does is in its own package below protocol.
package decoders

import (
	"fmt"
	"maps"
	"time"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/described"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/protocol/dns"
	"wirepatch/dataplane/protocol/dtls"
	"wirepatch/dataplane/protocol/ftp"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/protocol/mqtt"
	"wirepatch/dataplane/protocol/mssql"
	"wirepatch/dataplane/protocol/smtp"
	"wirepatch/dataplane/protocol/tftp"
	"wirepatch/dataplane/protocol/tls"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Options are what the decoder of a session is to know beside its rules.
type Options struct {
	Exceed    string           // "pass" or "reset": what becomes of a session at a limit
	MidStream bool             // the session was picked up after its beginning
	Clock     func() time.Time // nil: the system's
}

// Decoder is one protocol.
type Decoder struct {
	Schema protocol.Schema
	// New makes the decoder of a session over TCP, NewDatagram that of a flow over
	// UDP; nil: the protocol does not go that way.
	New         func(protocol.Rules, protocol.Conn, Options) session.Inspector
	NewDatagram func(protocol.Rules, protocol.Conn, Options) session.DatagramInspector
	// Begins are the first octets that tell a described protocol, by direction.
	Begins [2][]string
}

var all = map[string]Decoder{
	"http": {Schema: http.Schema(), New: newHTTP},
	// WebSocket begins as HTTP; a service of either name speaks both.
	"websocket": {Schema: http.WebSocketSchema(), New: newHTTP},
	"dns": {Schema: dns.Schema(), New: func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return dns.NewStream(r, c, whole.Options(o))
	}, NewDatagram: func(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
		return dns.NewDatagrams(r, c, whole.Options(o))
	}},
	"dtls": {Schema: dtls.Schema(), NewDatagram: func(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
		return dtls.New(r, c, whole.Options(o))
	}},
	mssql.Name: {Schema: mssql.Schema(), NewDatagram: func(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
		return mssql.New(r, c, whole.Options(o))
	}},
	"tftp": {Schema: tftp.Schema(), NewDatagram: func(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
		return tftp.New(r, c, whole.Options(o))
	}},
	"tls": {Schema: tls.Schema(), New: func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return tls.New(r, c, whole.Options(o))
	}},
	"ftp":  {Schema: ftp.Schema(), New: inDialogue(ftp.New)},
	"mqtt": {Schema: mqtt.Schema(), New: inDialogue(mqtt.New)},
	"smtp": {Schema: smtp.Schema(), New: inDialogue(smtp.New)},
}

func newHTTP(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
	return http.New(r, c, http.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock})
}

// inDialogue makes decoders that are built on package dialogue.
func inDialogue(f func(protocol.Rules, protocol.Conn, dialogue.Options) *dialogue.Decoder) func(protocol.Rules, protocol.Conn, Options) session.Inspector {
	return func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return f(r, c, dialogue.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock})
	}
}

// Set is the decoders of the firmware and those that descriptions beside the
// definitions add.
type Set map[string]Decoder

// Load returns the decoders that there are with a folder of definitions. A
// description with a fault is left out, and errs says why.
func Load(dir string) (s Set, errs []error) {
	s = maps.Clone(all)
	found, errs := patch.ReadProtocols(dir)
	for _, d := range found {
		if _, taken := s[d.Name]; taken {
			errs = append(errs, fmt.Errorf("protocol %s is described, and the firmware has a decoder of that name", d.Name))
			continue
		}
		s[d.Name] = ofDescription(d)
	}
	return s, errs
}

// ofDescription is the decoder that a description makes.
func ofDescription(d *described.Description) Decoder {
	out := Decoder{Schema: d.Schema(), Begins: d.Begins}
	in := func(o Options) dialogue.Options {
		return dialogue.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock}
	}
	if d.Streams {
		out.New = func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector { return d.New(r, c, in(o)) }
	}
	if d.Datagrams {
		out.NewDatagram = func(r protocol.Rules, c protocol.Conn, o Options) session.DatagramInspector {
			return d.NewDatagrams(r, c, in(o))
		}
	}
	return out
}

// Find returns the decoder of that name, Auto among them.
func (s Set) Find(name string) (d Decoder, ok bool) {
	if name == Auto {
		return Decoder{New: s.auto, NewDatagram: s.autoDatagrams}, true
	}
	d, ok = s[name]
	return d, ok
}

// ForDefinitions returns the firmware's decoders as definitions are compiled and
// tested with: at the time of tests.
func ForDefinitions() map[string]patch.Decoder { return Set(all).ForDefinitions() }

// ForDefinitions returns all of them as definitions are compiled and tested
// with: at the time of tests.
func (s Set) ForDefinitions() map[string]patch.Decoder {
	m := map[string]patch.Decoder{}
	for name, d := range s {
		p := patch.Decoder{Schema: d.Schema}
		if d.New != nil {
			p.New = func(r protocol.Rules, c protocol.Conn) session.Inspector { return d.New(r, c, forTests) }
		}
		if d.NewDatagram != nil {
			p.NewDatagram = func(r protocol.Rules, c protocol.Conn) session.DatagramInspector {
				return d.NewDatagram(r, c, forTests)
			}
		}
		m[name] = p
	}
	return m
}

var forTests = Options{Clock: func() time.Time { return patch.TestTime }}
