package port

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// Policy is what the program does with a service's frames when the engine is
// gone, and what it has done so since the service was last set.
type Policy struct {
	InForce         bool // the program knows the service
	FailClosed      bool
	Passed, Dropped uint64 // packets
}

// Policies asks the program for what is in force for each of services, which
// must have been set (SetServices). Fragments are counted in Counters alone:
// their service cannot be told.
func (p *Port) Policies(services []Service) ([]Policy, error) {
	out := make([]Policy, len(services))
	for i, s := range services {
		family, bits, addr := keyAddress(s.Address)
		k := wireServiceKey{Prefixlen: prefixBase + bits, Family: family, Proto: s.Transport.number(), Port: networkOrder(s.Port), Addr: addr}
		var v wirePolicy
		err := p.objs.WpServices.Lookup(k, &v)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read policy of %s port %d: %w", s.Address, s.Port, err)
		}
		out[i] = Policy{InForce: true, FailClosed: v.FailClosed != 0, Passed: v.Bypassed, Dropped: v.Dropped}
	}
	return out, nil
}
