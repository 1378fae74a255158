package port

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Transport is what carries a service over IP.
type Transport uint8

// The transports.
const (
	TCP Transport = iota
	UDP
)

// number is the transport's in an IP header.
func (t Transport) number() uint8 {
	if t == UDP {
		return 17
	}
	return 6
}

// Service is what is handed up: TCP sessions, or UDP datagrams, to Address and
// Port.
type Service struct {
	Transport  Transport
	Address    netip.Prefix
	Port       uint16
	FailClosed bool // without an engine its frames are dropped, not forwarded
	Follow     bool // the program follows its sessions as far as it can
	HTTP       bool // and lets simple messages go on (SetVetting)
}

const (
	anyProto   = 0  // in the key of an address
	prefixBase = 32 // bits of a key before its address
	mappedBits = 96 // bits of a mapped IPv4 address before the IPv4 part
)

// plan is what the two tries are to hold.
type plan struct {
	services  map[wireServiceKey]wirePolicy
	addresses map[wireAddressKey]wirePolicy
}

// planServices works the tries' content out. An address whose services of one
// transport differ in policy is closed to fragments if any of them is: which
// service a fragment belongs to cannot be told. What does not tell its transport
// may belong to any.
func planServices(services []Service) (plan, error) {
	p := plan{services: map[wireServiceKey]wirePolicy{}, addresses: map[wireAddressKey]wirePolicy{}}
	for _, s := range services {
		if !s.Address.IsValid() || s.Address.Addr().Is4In6() || s.Port == 0 {
			return p, fmt.Errorf("service %s port %d: not an IPv4 or IPv6 prefix with a port", s.Address, s.Port)
		}
		family, bits, addr := keyAddress(s.Address)
		k := wireServiceKey{Prefixlen: prefixBase + bits, Family: family, Proto: s.Transport.number(), Port: networkOrder(s.Port), Addr: addr}
		p.services[k] = s.policy()
		for _, proto := range []uint8{s.Transport.number(), anyProto} {
			closed := false
			for _, o := range services {
				closed = closed || o.FailClosed && (proto == anyProto || o.Transport.number() == proto) && o.Address.Bits() <= s.Address.Bits() && o.Address.Contains(s.Address.Addr())
			}
			p.addresses[wireAddressKey{Prefixlen: prefixBase + bits, Family: family, Proto: proto, Addr: addr}] = policy(closed)
		}
	}
	return p, nil
}

func keyAddress(p netip.Prefix) (family uint8, bits uint32, addr [16]byte) {
	p = p.Masked()
	if p.Addr().Is4() {
		return 4, uint32(mappedBits + p.Bits()), p.Addr().As16()
	}
	return 6, uint32(p.Bits()), p.Addr().As16()
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// What the program does itself for a service, as in bpf/follow.h.
const (
	belowFollow = 1
	belowHTTP   = 2
)

func (s *Service) policy() wirePolicy {
	w := policy(s.FailClosed)
	if s.Follow {
		w.Below = belowFollow
		if s.HTTP {
			w.Below |= belowHTTP
		}
	}
	return w
}

func policy(closed bool) wirePolicy {
	if closed {
		return wirePolicy{FailClosed: 1}
	}
	return wirePolicy{}
}

// SetServices puts these services in force in place of the ones before. What
// is in both stays protected all the time.
func (p *Port) SetServices(services []Service) error {
	want, err := planServices(services)
	if err != nil {
		return err
	}
	if err := syncMap(p.objs.WpServices, want.services); err != nil {
		return fmt.Errorf("set services: %w", err)
	}
	if err := syncMap(p.objs.WpAddresses, want.addresses); err != nil {
		return fmt.Errorf("set addresses of services: %w", err)
	}
	return nil
}

// syncMap makes m hold exactly want: first what is new, then what goes.
func syncMap[K, V comparable](m *ebpf.Map, want map[K]V) error {
	for k, v := range want {
		if err := m.Put(k, v); err != nil {
			return err
		}
	}
	var stale []K
	var k K
	var v V
	it := m.Iterate()
	for it.Next(&k, &v) {
		if _, ok := want[k]; !ok {
			stale = append(stale, k)
		}
	}
	errs := []error{it.Err()}
	for _, k := range stale {
		errs = append(errs, m.Delete(k))
	}
	return errors.Join(errs...)
}
