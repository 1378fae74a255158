package session

import (
	"net/netip"
	"time"

	"wirepatch/dataplane/packet"
)

// Side is one of the two wire ports.
type Side uint8

// The wire ports.
const (
	A Side = iota
	B
)

// Output takes the frames that leave.
type Output interface {
	// Send puts frame on the wire of port to. v describes it as the kernel's
	// virtio-net header does. frame is only valid during the call.
	Send(to Side, v packet.VNet, frame []byte)
}

// Policy is what becomes of a session at a limit, or that cannot be decoded; of
// datagrams, only of the one that cannot.
type Policy uint8

// The policies.
const (
	PolicyReset Policy = iota // reset it on both sides; drop the datagram
	PolicyPass                // stop inspecting it; pass the datagram
)

// Transport is what carries a service.
type Transport uint8

// The transports.
const (
	TCP Transport = iota
	UDP
)

// Service is a protected service. It must not be changed once handed over.
type Service struct {
	Name      string
	Transport Transport
	Address   netip.Prefix
	Port      uint16
	Exceed    Policy
	// New makes the Inspector of one session. midStream: the session was not
	// seen from its start.
	New func(c Conn, midStream bool) Inspector
	// NewDatagram makes the inspector of one flow, where Transport is UDP.
	NewDatagram func(c Conn) DatagramInspector
}

// Conn names a session's two ends.
type Conn struct{ Client, Server netip.AddrPort }

// Limits bound what the engine keeps.
type Limits struct {
	Sessions  int           // tracked at once
	Embryonic int           // of these, with an unanswered SYN
	Held      int           // bytes of one direction that await a verdict
	Ahead     int           // bytes of one direction that arrived ahead of a gap
	Carry     int           // bytes to pass unseen from which on the ports are asked to carry them
	Total     int           // bytes held, ahead and unacknowledged in all sessions
	HoldDelay time.Duration // after which held bytes are acknowledged to their sender
	Idle      time.Duration // after which an established session is forgotten
	Linger    time.Duration // how long a closed session is remembered
	Flows     int           // of datagrams, tracked at once
}

// DefaultLimits are those of a box with memory to spare; see Within.
var DefaultLimits = Limits{
	Sessions:  200_000,
	Embryonic: 50_000,
	Held:      1 << 20,
	Ahead:     2 << 20,
	Carry:     64 << 10,
	Total:     128 << 20,
	HoldDelay: 4 * time.Millisecond,
	Idle:      2 * time.Hour,
	Linger:    10 * time.Second,
	Flows:     32_768,
}

// EventKind is what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	Corrected       EventKind = iota // Evidence says what
	Passed                           // the session is no longer inspected
	WasReset                         // we have reset the session
	DatagramPassed                   // a datagram passed that could not be inspected, the first of its flow
	DatagramDropped                  // the same, dropped
)

// Event is something worth telling about a session.
type Event struct {
	Kind     EventKind
	Service  string
	Conn     Conn
	Reason   string // for all but Corrected
	Evidence Evidence
	// Quiet: it is to be counted, not told: too many of its kind come at once.
	Quiet bool
}

// Stats counts sessions and bytes.
type Stats struct {
	Open, Total, Edited, Passed, PickedUp, Reset uint64
	BadChecksum, Malformed, Refused              uint64
	Closing                                      uint64 // of Open, those that both ends have done with
	Held                                         uint64 // bytes held, ahead and unacknowledged now
	Flows                                        uint64 // of Open, those of datagrams
	Dropped, Replied                             uint64 // datagrams: by a verdict; of these, answered by us
	Untold                                       uint64 // corrections of datagrams that were quiet events
	Unanswered                                   uint64 // replies to datagrams that were not sent, see Engine.reply
	NoSlot                                       uint64 // sessions that found no slot
	Aside                                        uint64 // sessions that made room for others, and lost nothing
	Crowded                                      uint64 // those that met their service's policy for it
	Taken, Given                                 uint64 // sessions that the ports had followed, that they follow again
	Quoted                                       uint64 // ICMP errors whose quoted sequence number was translated
	PerService                                   map[string]uint64
}

// Config is what an Engine needs.
type Config struct {
	Output   Output
	Services []*Service
	Limits   Limits
	Event    func(Event)
	Slots    Slots          // nil: the ports carry nothing for the engine
	MTU      func(Side) int // longest IP packet that a port sends; nil: 1500
	Below    Below          // nil: the ports follow no session themselves
}
