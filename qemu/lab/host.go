package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	nic       = tcpip.NICID(1)
	mtu       = 1500 // bytes of an IP packet
	sendQueue = 8192 // frames: more than both send buffers of a session, 4 MB each, ever fill
)

// Host is one computer of the lab: an Ethernet port and the TCP/IP above it,
// with ARP and neighbour discovery. It is safe for use by many goroutines.
type Host struct {
	stack *stack.Stack
	port  *channel.Endpoint
}

// NewHost returns a host with these addresses and no wire in its port.
func NewHost(mac net.HardwareAddr, addresses ...netip.Prefix) (*Host, error) {
	h := &Host{
		stack: stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
		}),
		port: channel.New(sendQueue, mtu+header.EthernetMinimumSize, tcpip.LinkAddress(mac)),
	}
	sack := tcpip.TCPSACKEnabled(true)
	if err := h.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return nil, fmt.Errorf("turning SACK on: %s", err)
	}
	if err := h.stack.CreateNIC(nic, ethernet.New(h.port)); err != nil {
		return nil, fmt.Errorf("making the port: %s", err)
	}
	for _, p := range addresses {
		if err := h.add(p); err != nil {
			return nil, fmt.Errorf("adding address %s: %w", p, err)
		}
	}
	return h, nil
}

func (h *Host) add(p netip.Prefix) error {
	a := tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits()}
	pa := tcpip.ProtocolAddress{Protocol: network(p.Addr()), AddressWithPrefix: a}
	if err := h.stack.AddProtocolAddress(nic, pa, stack.AddressProperties{}); err != nil {
		return errors.New(err.String())
	}
	h.stack.AddRoute(tcpip.Route{Destination: a.Subnet(), NIC: nic})
	return nil
}

// Close takes the host down; its sessions end.
func (h *Host) Close() {
	h.stack.Destroy()
	h.port.Close()
}

// Dial opens a session to that address over the wire.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (*Conn, error) {
	var wq waiter.Queue
	ep, terr := h.stack.NewEndpoint(tcp.ProtocolNumber, network(to.Addr()), &wq)
	if terr != nil {
		return nil, fmt.Errorf("dialling %s: %s", to, terr)
	}
	ready, notify := waiter.NewChannelEntry(waiter.WritableEvents)
	wq.EventRegister(&ready)
	defer wq.EventUnregister(&ready)
	terr = ep.Connect(full(to))
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			ep.Close()
			return nil, fmt.Errorf("dialling %s: %w", to, ctx.Err())
		case <-notify:
		}
		terr = ep.LastError()
	}
	if terr != nil {
		ep.Close()
		return nil, fmt.Errorf("dialling %s: %s", to, terr)
	}
	return newConn(&wq, ep), nil
}

// Conn is one session of a Host.
type Conn struct {
	*gonet.TCPConn
	ep tcpip.Endpoint
}

func newConn(wq *waiter.Queue, ep tcpip.Endpoint) *Conn {
	ep.SocketOptions().SetDelayOption(false)
	return &Conn{gonet.NewTCPConn(wq, ep), ep}
}

// Abort resets the session.
func (c *Conn) Abort() { c.ep.Abort() }

func network(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

func full(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}
