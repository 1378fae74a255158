package patch

import (
	"net/netip"
	"time"

	"wirepatch/dataplane/protocol"
)

// What a client may cost a definition that takes too much: a hundredth of a
// core, and a little at once.
const (
	clientShare  = 100
	clientBurst  = 50 * time.Millisecond
	clientMost   = time.Second // noted at most, so that it ends
	clientsNoted = 128
	clientBits   = 48 // of an IPv6 address: what one site has
)

// clientCosts is what clients cost a definition lately: those that cost most.
type clientCosts [clientsNoted]clientCost

// clientCost is the time that a client has taken beyond its share.
type clientCost struct {
	client netip.Addr
	spent  time.Duration
	at     time.Duration
}

// settle lowers what was spent by what has been earned meanwhile.
func (c *clientCost) settle(now time.Duration) time.Duration {
	c.spent = max(0, c.spent-(now-c.at)/clientShare)
	c.at = now
	return c.spent
}

// find returns what is noted of a client, nil when that is nothing.
func (t *clientCosts) find(client netip.Addr) *clientCost {
	for i := range t {
		if c := &t[i]; c.client == client && client.IsValid() {
			return c
		}
	}
	return nil
}

// charge notes a client's cost. In a full table the one that cost least gives way.
func (t *clientCosts) charge(client netip.Addr, now, took time.Duration) {
	if !client.IsValid() {
		return
	}
	c := t.find(client)
	if c == nil {
		c = &t[0]
		for i := range t {
			if o := &t[i]; o.settle(now) < c.settle(now) || !o.client.IsValid() {
				if c = o; !o.client.IsValid() {
					break
				}
			}
		}
		*c = clientCost{client: client, at: now}
	}
	c.spent = min(c.settle(now)+took, clientMost)
}

// clientOf is whom a message's cost is charged to, an invalid address when that
// is not known. All of an IPv6 site is one client, for it has addresses at will.
func clientOf(m *protocol.Message) netip.Addr {
	if m.Lookup == nil {
		return netip.Addr{}
	}
	v, _ := m.Lookup("client.address")
	text, _ := v.(string)
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(clientBits)
		a = p.Addr()
	}
	return a
}
