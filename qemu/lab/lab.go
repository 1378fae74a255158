// Package lab is the network around an appliance: a client host and a server
// host, each a whole TCP/IP host of its own in this process (gVisor's
// netstack), that speak Ethernet over stream sockets as QEMU's netdev does. So
// the lab needs no privileges, no interfaces and no namespaces.
//
// The server host hands its sessions to a real server, the portal, which
// listens on this computer; the client host dials for whoever connects to the
// lab's address on this computer. The appliance is package vm's business.
package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The addresses of the lab. Wire A has the client, wire B the server.
var (
	ClientMAC = net.HardwareAddr{0x52, 0x54, 0x00, 0x77, 0x00, 0x01}
	ServerMAC = net.HardwareAddr{0x52, 0x54, 0x00, 0x77, 0x00, 0x02}
	Client4   = netip.MustParsePrefix("10.77.0.1/24")
	Client6   = netip.MustParsePrefix("fd77::1/64")
	Server4   = netip.MustParsePrefix("10.77.0.2/24")
	Server6   = netip.MustParsePrefix("fd77::2/64")
)

// The ports at which the server host serves the portal.
const (
	Protected   = 80   // a protected service of the lab's appliance
	Unprotected = 8080 // the same server, not protected
)

// Service4 and Service6 are the protected service's addresses.
var (
	Service4 = netip.AddrPortFrom(Server4.Addr(), Protected)
	Service6 = netip.AddrPortFrom(Server6.Addr(), Protected)
	Free4    = netip.AddrPortFrom(Server4.Addr(), Unprotected)
)

const dialTimeout = 30 * time.Second

// Lab is the two hosts.
type Lab struct {
	Client, Server *Host
	portal         string
	records        records
	ctx            context.Context
	cancel         context.CancelFunc
	sessions       sync.WaitGroup
}

// New returns the two hosts; the server host hands its sessions to the server
// at portal, a TCP address of this computer.
func New(portal string) (*Lab, error) {
	l := &Lab{portal: portal}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	var err error
	if l.Client, err = NewHost(ClientMAC, Client4, Client6); err != nil {
		return nil, err
	}
	if l.Server, err = NewHost(ServerMAC, Server4, Server6); err != nil {
		return nil, err
	}
	for _, a := range []netip.Addr{Server4.Addr(), Server6.Addr()} {
		for _, port := range []uint16{Protected, Unprotected} {
			ln, err := l.Server.Listen(netip.AddrPortFrom(a, port))
			if err != nil {
				return nil, err
			}
			go l.serve(ln)
		}
	}
	return l, nil
}

// serve hands what ln accepts to the portal.
func (l *Lab) serve(ln *Listener) {
	defer context.AfterFunc(l.ctx, ln.Close)()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		l.sessions.Go(func() {
			k, err := net.DialTimeout("tcp", l.portal, dialTimeout)
			if err != nil {
				c.Abort()
				c.Close()
				return
			}
			client, _ := netip.ParseAddrPort(c.RemoteAddr().String())
			l.join(c, l.records.tap(kernel{k.(*net.TCPConn)}, client))
		})
	}
}

// Forward accepts on ln and has the client host dial to for each connection,
// until the lab or ln is closed.
func (l *Lab) Forward(ln net.Listener, to netip.AddrPort) error {
	defer context.AfterFunc(l.ctx, func() { ln.Close() })()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		l.sessions.Go(func() {
			k := kernel{c.(*net.TCPConn)}
			ctx, cancel := context.WithTimeout(l.ctx, dialTimeout)
			defer cancel()
			h, err := l.Client.Dial(ctx, to)
			if err != nil {
				k.Abort()
				return
			}
			l.join(h, k)
		})
	}
}

// join splices two sessions; closing the lab resets both.
func (l *Lab) join(a, b stream) {
	stop := context.AfterFunc(l.ctx, func() { a.Abort(); b.Abort() })
	defer stop()
	splice(a, b)
}

// Recorded returns what the server host received from, and sent to, the client
// at this address in its last session: the first 64 KB of each, for the latest
// sessions only.
func (l *Lab) Recorded(client netip.AddrPort) (received, sent []byte) {
	return l.records.find(client)
}

// Cable joins the two hosts directly, without an appliance, until the lab is
// closed. The captures may be nil.
func (l *Lab) Cable(client, server *Capture) {
	a, b := net.Pipe()
	l.sessions.Go(func() { l.Client.Plug(l.ctx, a, client) })
	l.sessions.Go(func() { l.Server.Plug(l.ctx, b, server) })
}

// Close ends every session and takes the hosts down.
func (l *Lab) Close() {
	l.cancel()
	l.sessions.Wait()
	l.Client.Close()
	l.Server.Close()
}
