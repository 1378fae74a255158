package wire

import (
	"time"

	"wirepatch/dataplane/control"
)

// counters is what the last poll saw.
type counters struct {
	at    time.Time
	ports []control.Port
}

// ratesBetween computes the rates of each port; nil when the two polls cannot
// be compared (other ports, or counters that began anew).
func ratesBetween(old, new counters) []Rate {
	dt := new.at.Sub(old.at).Seconds()
	if dt <= 0 || len(old.ports) != len(new.ports) {
		return nil
	}
	rates := make([]Rate, len(new.ports))
	for i, n := range new.ports {
		o := old.ports[i]
		if o.Name != n.Name || n.RxBytes < o.RxBytes || n.RxPackets < o.RxPackets || n.HandedUp < o.HandedUp {
			return nil
		}
		rates[i] = Rate{
			RxBits:    float64(n.RxBytes-o.RxBytes) * 8 / dt,
			RxPackets: float64(n.RxPackets-o.RxPackets) / dt,
			HandedUp:  float64(n.HandedUp-o.HandedUp) / dt,
		}
	}
	return rates
}

// sample is what the two wire ports carry: what the client side receives
// travels to the servers.
func sample(rates []Rate, at time.Time) Sample {
	if len(rates) != 2 {
		return Sample{At: at}
	}
	return Sample{At: at, Known: true, ToServers: rates[0].RxBits, ToClients: rates[1].RxBits}
}
