// Package wire keeps a bounded copy of what happens on the wire and on the
// box: it polls the dataplane's socket and init's file, so that pages are
// quick, and still say something while the dataplane is away.
package wire

import (
	"time"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
)

// State is the copy at one moment. What it points to is never changed
// afterwards.
type State struct {
	Time      time.Time  `json:"time"` // of the box's clock
	Dataplane Dataplane  `json:"dataplane"`
	Box       *state.Box `json:"box"` // nil: unknown
	BoxError  string     `json:"box_error,omitempty"`
}

// Dataplane is what is known about the wire.
type Dataplane struct {
	Answers bool            `json:"answers"`
	Error   string          `json:"error,omitempty"` // why it does not answer
	Since   time.Time       `json:"since"`           // of the last change of Answers
	Seen    time.Time       `json:"seen"`            // its last answer; zero: none yet
	Status  *control.Status `json:"status"`          // that answer; nil: none yet
	Rates   []Rate          `json:"rates"`           // of the ports, in their order; empty: unknown
	History []Sample        `json:"history"`         // oldest first, at most HistoryLength
	Minutes []Minute        `json:"minutes"`         // corrections, oldest first, at most MinutesKept
}

// Rate is how much travels through one port, by its counters between two polls.
type Rate struct {
	RxBits    float64 `json:"rx_bits"`    // received, bit/s
	RxPackets float64 `json:"rx_packets"` // received, packets/s
	HandedUp  float64 `json:"handed_up"`  // given to the engine, packets/s
}

// HistoryLength is how many samples of the throughput are kept.
const HistoryLength = 120

// Sample is the throughput at one moment, in bit/s.
type Sample struct {
	At        time.Time `json:"at"`
	Known     bool      `json:"known"` // false: the dataplane did not answer
	ToServers float64   `json:"to_servers"`
	ToClients float64   `json:"to_clients"`
}

// Record is one event with a number of its own: the dataplane's numbers begin
// anew with each of its processes.
type Record struct {
	Seq    uint64 `json:"seq"`    // from 1 at each start of the management process
	Source string `json:"source"` // "dataplane", "box", "management"
	control.Event
}

// IsCorrection says whether the record tells of corrected bytes.
func (r Record) IsCorrection() bool { return r.Evidence != nil }
