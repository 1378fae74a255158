package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wirepatch/board/settings"
	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

var exceed = map[string]session.Policy{"reset": session.PolicyReset, "pass": session.PolicyPass}

// sessionServices says what the engine is to follow for one service of the
// settings: one for each transport.
func sessionServices(v settings.Service, set decoders.Set, rules protocol.Rules) []*session.Service {
	d, _ := set.Find(v.Protocol) // checkProtocols has seen it
	var out []*session.Service
	for _, t := range v.Over {
		s := &session.Service{Name: v.Name, Address: v.Address, Port: v.Port, Exceed: exceed[v.Exceed]}
		if t == settings.UDP {
			s.Transport = session.UDP
			s.NewDatagram = func(c session.Conn) session.DatagramInspector {
				return d.NewDatagram(rules, connOf(c), decoders.Options{Exceed: v.Exceed})
			}
		} else {
			s.New = func(c session.Conn, midStream bool) session.Inspector {
				return d.New(rules, connOf(c), decoders.Options{Exceed: v.Exceed, MidStream: midStream})
			}
		}
		out = append(out, s)
	}
	return out
}

// checkProtocols refuses services whose protocol nobody decodes: by its name, or
// over what they say.
func checkProtocols(services []settings.Service, set decoders.Set) error {
	var errs []error
	for _, v := range services {
		d, ok := set.Find(v.Protocol)
		if !ok {
			known := append(slices.Sorted(maps.Keys(set)), decoders.Auto)
			errs = append(errs, fmt.Errorf("[service %s] protocol: nobody decodes %q, want one of %s", v.Name, v.Protocol, strings.Join(known, ", ")))
			continue
		}
		for _, t := range v.Over {
			if t == settings.TCP && d.New == nil || t == settings.UDP && d.NewDatagram == nil {
				errs = append(errs, fmt.Errorf("[service %s] transport: %s does not go over %s", v.Name, v.Protocol, t))
			}
		}
	}
	return errors.Join(errs...)
}

func connOf(c session.Conn) protocol.Conn {
	return protocol.Conn{
		ClientAddress: c.Client.Addr().String(), ClientPort: int(c.Client.Port()),
		ServerAddress: c.Server.Addr().String(), ServerPort: int(c.Server.Port()),
	}
}

// portServices says what the ports are to hand up.
func portServices(services []settings.Service, w settings.Wire) []port.Service {
	var out []port.Service
	for _, v := range services {
		out = append(out, portsOf(v, w)...)
	}
	return out
}

func portsOf(v settings.Service, w settings.Wire) []port.Service {
	var out []port.Service
	for _, t := range v.Over {
		p := port.Service{Address: v.Address, Port: v.Port, FailClosed: v.Fail == "closed"}
		if t == settings.UDP {
			p.Transport = port.UDP
		} else {
			p.Follow, p.HTTP = w.KernelInspection, v.Protocol == "http"
		}
		out = append(out, p)
	}
	return out
}

// policies asks the ports for what is in force for each service: over all its
// transports, for which it is the same.
func (l *loop) policies() ([]port.Policy, error) {
	flat, err := l.port.Policies(portServices(l.current.settings, l.current.wire))
	if err != nil {
		return nil, err
	}
	var out []port.Policy
	for _, v := range l.current.settings {
		sum := flat[0]
		for _, p := range flat[1:len(v.Over)] {
			sum.InForce = sum.InForce && p.InForce
			sum.FailClosed = sum.FailClosed && p.FailClosed
			sum.Passed += p.Passed
			sum.Dropped += p.Dropped
		}
		flat = flat[len(v.Over):]
		out = append(out, sum)
	}
	return out, nil
}
