package port

import "fmt"

// Lost counts the frames that were handed up on a side and lost, because the
// engine did not take them in time. It is a part of Counts.HandedUp.
func (p *Port) Lost(s Side) (uint64, error) {
	n, err := p.sides[s].carrier.lost()
	if err != nil {
		return 0, fmt.Errorf("read what wire port %s lost: %w", s, err)
	}
	return n, nil
}
