package port

import "fmt"

// Queues says how many receive queues each port has now, and whether some have no
// socket of the engine's yet: then it is time for Requeue. Any goroutine may call it.
func (p *Port) Queues() (n [2]int, missing bool, err error) {
	if p.way != xdp {
		return n, false, nil
	}
	for i := range p.sides {
		if n[i], err = receiveQueues(p.sides[i].name); err != nil {
			return n, false, fmt.Errorf("wire port %s: %w", Side(i), err)
		}
		missing = missing || n[i] > int(p.served[i].Load())
	}
	return n, missing, nil
}

// Requeue has the queues served that the ports have got since they were opened
// (ethtool -L), up to n of each. One that a port no longer has keeps its socket,
// for it may come back. It belongs to the goroutine of Recv.
func (p *Port) Requeue(n [2]int) error {
	if p.way != xdp {
		return nil
	}
	for i := range p.sides {
		c := p.sides[i].carrier.(*xsks)
		before := len(c.queues)
		err := c.grow(n[i])
		p.served[i].Store(int32(len(c.queues)))
		p.polled = p.watched()
		if err == nil {
			err = p.setSockets(Side(i), before)
		}
		if err != nil {
			return fmt.Errorf("serve the queues of wire port %s (%s): %w", Side(i), c.name, err)
		}
	}
	return nil
}
